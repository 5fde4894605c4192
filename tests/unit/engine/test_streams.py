"""A stream that is left while it says nothing."""

import threading

import pytest

from rocmimg.engine.failure import BuildCancelled
from rocmimg.engine.streams import stoppable


def test_what_a_stream_says_comes_through():
    assert list(stoppable(lambda: iter("abc"), threading.Event())) == ["a", "b", "c"]


def test_its_error_comes_through():
    def broken():
        yield "a"
        raise OSError("gone")

    stream = stoppable(broken, threading.Event())
    assert next(stream) == "a"
    with pytest.raises(OSError, match="gone"):
        next(stream)


def test_one_that_says_nothing_any_more_is_left():
    never, stop = threading.Event(), threading.Event()

    def silent():
        yield "a"
        never.wait()

    stream = stoppable(silent, stop)
    assert next(stream) == "a"
    stop.set()
    with pytest.raises(BuildCancelled):
        next(stream)
    never.set()
