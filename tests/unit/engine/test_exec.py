"""The output of a command in a container, read from the engine's answer within a time limit."""

import threading
import types

import pytest
from urllib3.exceptions import ProtocolError, ReadTimeoutError

from rocmimg.engine.api import explained
from rocmimg.engine.exec import _read
from rocmimg.errors import EngineError


def _answer(*parts):
    left = list(parts)

    def read1(_size):
        part = left.pop(0) if left else b""
        if isinstance(part, Exception):
            raise part
        return part

    return types.SimpleNamespace(raw=types.SimpleNamespace(read1=read1, shutdown=lambda: None))


def test_a_socket_that_gives_up_before_the_timer_is_the_same_time_limit():
    cut = threading.Event()
    late = ReadTimeoutError(None, "/", "Read timed out.")
    assert _read(_answer(b"some", late), 60, cut, None) == b"some"
    assert cut.is_set()


@pytest.mark.parametrize("error", [ReadTimeoutError(None, "/", "late"), ProtocolError("broken")])
def test_an_engine_that_goes_away_is_an_engine_error(error):
    with pytest.raises(EngineError, match="went away"), explained("cannot run x"):
        _read(_answer(b"some", error), None, threading.Event(), None)
