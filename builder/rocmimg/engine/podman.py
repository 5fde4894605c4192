"""Podman's build output, plain text lines, as the same events that BuildKit's frames give."""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING, Final

from rocmimg.engine.events import Event, StepFinished, StepLog, StepStarted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_STEP: Final = re.compile(r"^(?:\[\d+/\d+\] )?STEP (\d+/\d+): ")
_CACHED: Final = re.compile(r"^--> Using cache ")


class PodmanSteps:
    """Steps run one after the other here, so a new ``STEP`` line ends the one before."""

    def __init__(self) -> None:
        self._rest = ""
        self._step: tuple[str, str, float] | None = None
        self._cached = False
        self._count = 0
        self._stage = ""
        self._shown: Callable[[str], str] = str

    def stage(self, name: str, shown: Callable[[str], str]) -> None:
        """The build of a stage begins; ``shown`` turns its text into the user's."""
        self._stage, self._shown = name, shown

    def decode(self, text: str) -> Iterator[Event]:
        """Events of one ``{"stream": text}`` line."""
        *whole, self._rest = (self._rest + text).split("\n")
        for line in whole:
            yield from self._line(line.rstrip("\r"))

    def close(self, error: str = "") -> Iterator[Event]:
        """The end of the output; ``error`` belongs to the step that was running."""
        if self._rest:
            yield from self._line(self._rest)
            self._rest = ""
        yield from self._finish(error)

    def _line(self, line: str) -> Iterator[Event]:
        if step := _STEP.match(line):
            yield from self._finish("")
            self._count += 1
            name = f"[{' '.join(filter(None, (self._stage, step[1])))}] {self._shown(line[step.end() :])}"
            self._step, self._cached = (f"podman:{self._count}", name, time.time()), False
            yield StepStarted(digest=self._step[0], name=name, cached=False, started=self._step[2])
            return
        if _CACHED.match(line):
            self._cached = True
        yield StepLog(digest=self._step[0] if self._step else "", stream=1, text=line, timestamp=time.time())

    def _finish(self, error: str) -> Iterator[Event]:
        if self._step:
            digest, name, started = self._step
            self._step = None
            seconds = max(0.0, time.time() - started)
            yield StepFinished(
                digest=digest, name=name, started=started, seconds=seconds, cached=self._cached, error=error
            )
