"""A stream of the engine that can be left while it says nothing."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterable, Iterator
from typing import Final, TypeVar

from rocmimg.engine.failure import BuildCancelled

T = TypeVar("T")
_LOOK_S: Final = 0.2


def stoppable(make: Callable[[], Iterable[T]], stop: threading.Event) -> Iterator[T]:
    """What ``make()`` yields, until ``stop`` is set.

    A thread of its own reads it: nothing else wakes a read that waits for the engine. It ends with the process.

    Raises:
        BuildCancelled: ``stop`` was set.
    """
    items: queue.SimpleQueue[tuple[T | None, BaseException | None]] = queue.SimpleQueue()

    def read() -> None:
        try:
            for item in make():
                if stop.is_set():
                    return
                items.put((item, None))
        except BaseException as error:  # handed over, to be raised where it is waited for
            items.put((None, error))
        else:
            items.put((None, StopIteration()))

    threading.Thread(target=read, daemon=True).start()
    while not stop.is_set():
        try:
            item, error = items.get(timeout=_LOOK_S)
        except queue.Empty:
            continue
        if isinstance(error, StopIteration):
            return
        if error is not None:
            raise error
        yield item  # type: ignore[misc]
    raise BuildCancelled
