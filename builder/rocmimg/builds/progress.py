"""What every cell or image of a run does now: fed from several threads, read by the views."""

from __future__ import annotations

import re
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Final, Literal

from rocmimg.builds.steps import StepName
from rocmimg.engine import Event, StepFinished, StepLog, StepStarted, Transfer
from rocmimg.terminal import harmless

_TRACE: Final = re.compile(r"\++ ")
"""What ``set -x`` writes: the command, not what it does."""
Outcome = Literal["done", "failed", "cancelled"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """What became of a cell or an image, in the words of its verb."""

    id: str
    outcome: Outcome
    mark: Literal["good", "same", "bad", "open"]
    lines: tuple[str, ...]
    """The first says how it ended, the others why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunningStep:
    """A step that runs."""

    digest: str
    """Which step it is."""
    began: float
    """By the clock of the progress: tells one run of a step from the next."""
    name: StepName
    seconds: float
    line: str
    """The last line that it wrote."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunningCell:
    """A cell that is worked on."""

    id: str
    seconds: float
    phase: str
    """What is done with it; the steps say it better where there are any."""
    phase_began: float
    phase_seconds: float
    steps: tuple[RunningStep, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """A run at one moment."""

    noun: str
    total: int
    ended: Counter[Outcome]
    running: tuple[RunningCell, ...]
    """In the order in which they began."""
    seconds: float

    @property
    def queued(self) -> int:
        """Cells whose turn has not come."""
        return self.total - sum(self.ended.values()) - len(self.running)

    @property
    def done(self) -> int:
        """Those that came to their end."""
        return self.ended["done"]

    @property
    def counts(self) -> str:
        """All of it in one line; ``cancelled`` and ``failed`` where there are any."""
        told = [f"{self.queued} queued", f"{len(self.running)} running", f"{self.done} done"]
        others: tuple[Outcome, ...] = ("failed", "cancelled")
        told += [f"{self.ended[outcome]} {outcome}" for outcome in others if self.ended[outcome]]
        return f"{self.total} {self.noun}{'' if self.total == 1 else 's'}: {', '.join(told)}"


@dataclass(slots=True)
class _Step:
    name: StepName
    began: float
    line: str = ""


@dataclass(slots=True)
class _Cell:
    began: float
    phase: str = ""
    phase_began: float = 0.0
    steps: dict[str, _Step] = field(default_factory=dict)


class Progress:
    """The state behind a view."""

    def __init__(self, clock: Callable[[], float] = time.monotonic, *, noun: str = "cell") -> None:
        self._clock, self._noun = clock, noun
        self._began = clock()
        self._total = 0
        self._cells: dict[str, _Cell] = {}
        self._ended: Counter[Outcome] = Counter()
        self._lock = threading.Lock()

    def planned(self, cells: Iterable[str]) -> None:
        """The cells of the run."""
        with self._lock:
            self._total = len(list(cells))

    def started(self, cell_id: str, what: str) -> None:
        """The cell's work began, or went on to another phase."""
        with self._lock:
            cell = self._cells.setdefault(cell_id, _Cell(self._clock()))
            if cell.phase != what:
                cell.phase, cell.phase_began = what, self._clock()

    def event(self, cell_id: str, event: Event) -> None:
        """The engine reported."""
        with self._lock:
            steps = self._cells.setdefault(cell_id, _Cell(self._clock())).steps
            match event:
                case StepStarted(digest=digest, name=name):
                    steps.setdefault(digest, _Step(StepName.parse(name), self._clock()))
                case StepFinished(digest=digest):
                    steps.pop(digest, None)
                case StepLog(digest=digest, text=text) if digest in steps:
                    steps[digest].line = written(text) or steps[digest].line
                case Transfer(digest=digest) if digest in steps:
                    steps[digest].line = _transfer(event)
                case _:
                    pass

    def place(self, cell_id: str, digest: str) -> str:
        """The stage and the number of a running step."""
        with self._lock:
            cell = self._cells.get(cell_id)
            return cell.steps[digest].name.place if cell and digest in cell.steps else "engine"

    def finished(self, ending: Ending) -> None:
        """The cell is done."""
        with self._lock:
            self._cells.pop(ending.id, None)
            self._ended[ending.outcome] += 1

    def snapshot(self) -> Snapshot:
        """As it is now."""
        with self._lock:
            now = self._clock()
            cells = tuple(
                RunningCell(
                    id=cell_id,
                    seconds=now - cell.began,
                    phase=cell.phase,
                    phase_began=cell.phase_began,
                    phase_seconds=now - cell.phase_began,
                    steps=_shown(cell, now),
                )
                for cell_id, cell in self._cells.items()
            )
            return Snapshot(
                noun=self._noun,
                total=self._total,
                ended=self._ended.copy(),
                running=cells,
                seconds=now - self._began,
            )


def _shown(cell: _Cell, now: float) -> tuple[RunningStep, ...]:
    """The running steps of stages, those of the engine only where there are no others."""
    stages = {digest: step for digest, step in cell.steps.items() if step.name.stage}
    return tuple(
        RunningStep(digest=digest, began=step.began, name=step.name, seconds=now - step.began, line=step.line)
        for digest, step in (stages or cell.steps).items()
    )


def written(text: str) -> str:
    """What a line of output leaves on a terminal's line; empty for what ``set -x`` writes of a shell."""
    line = text.rstrip("\r\n").rpartition("\r")[2]
    return "" if _TRACE.match(line) else " ".join(harmless(line).split())


def _transfer(event: Transfer) -> str:
    moved = f" {event.current / 1e6:.0f} of {event.total / 1e6:.0f} MB" if event.total else ""
    return f"{event.what}{moved}"


def clock(seconds: float) -> str:
    """``0:07``, ``12:34`` or ``1:02:03``."""
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
