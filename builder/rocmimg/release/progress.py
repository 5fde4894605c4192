"""What travels between engine and registry, for people who wait: one line that changes, or a line a layer."""

from __future__ import annotations

import sys
import time
from typing import Final, TextIO

from rocmimg.engine import Event, Transfer

_DONE: Final = frozenset({"Pushed", "Layer already exists", "Pull complete", "Already exists"})
_EVERY_S: Final = 0.2


class Progress:
    """Called with the events of one push or pull."""

    def __init__(self, cell_id: str, stream: TextIO | None = None) -> None:
        self._cell = cell_id
        self._stream = stream or sys.stderr
        self._layers: dict[str, tuple[bool, int, int]] = {}
        self._shown = 0.0

    def __call__(self, event: Event) -> None:
        if not isinstance(event, Transfer) or not event.id or event.what.startswith(("The push", "Pulling from")):
            return
        known = self._layers.get(event.id, (False, 0, 0))
        done = event.what in _DONE
        total = max(event.total, known[2])
        self._layers[event.id] = (done, total if done else max(event.current, known[1]), total)
        if self._stream.isatty():
            self._redraw()
        elif done and not known[0]:
            self._stream.write(f"{self._cell}: {event.id}: {event.what.lower()}\n")

    def close(self) -> None:
        """End the line."""
        if self._stream.isatty() and self._layers:
            self._redraw(now=True)
            self._stream.write("\n")

    def _redraw(self, *, now: bool = False) -> None:
        moment = time.monotonic()
        if now or moment - self._shown > _EVERY_S:
            self._shown = moment
            layers = self._layers.values()
            done = sum(layer[0] for layer in layers)
            moved, total = (sum(layer[i] for layer in layers) / 1e6 for i in (1, 2))
            text = f"{self._cell}: {done} of {len(layers)} layers, {moved:.0f} of {total:.0f} MB"
            self._stream.write(f"\r{text}\x1b[K")
            self._stream.flush()
