"""Who is told while images are built: a log file each, and a view."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, Literal, Protocol

import click

from rocmimg.builds.decide import UP_TO_DATE
from rocmimg.builds.progress import Ending, Outcome, Progress, clock
from rocmimg.builds.results import CellResult, Status
from rocmimg.engine import BuildWarning, Event, StepFinished, StepLog, StepStarted, Transfer
from rocmimg.files import LogFile
from rocmimg.terminal import harmless

HEARTBEAT_S: Final = 30.0
_REASON_LINES: Final = 5
"""So many last lines of a step are told when it fails; the summary and the log have more."""


EndingOf = Callable[[Any], Ending]
"""What a view shows of a result, whatever the verb."""


class View(Protocol):
    """Is told of everything, from several threads."""

    def planned(self, cells: Iterable[str]) -> None:
        """The cells of the run."""

    def started(self, cell_id: str, what: str) -> None:
        """The cell's work began, or went on to another phase."""

    def event(self, cell_id: str, event: Event) -> None:
        """The engine reported."""

    def finished(self, result: CellResult) -> None:
        """The cell is done."""


class PlainView:
    """One line for each step that ended, and a sign of life of those that take long; for logs of CI and for pipes."""

    def __init__(
        self, *, verbose: bool = False, progress: Progress | None = None, ending: EndingOf | None = None
    ) -> None:
        self._verbose = verbose
        self._progress = progress or Progress()
        self._ending = ending or ending_of
        self._phases: dict[str, str] = {}
        self._told: dict[tuple[str, str, float], float] = {}
        self._lock = threading.Lock()

    def _say(self, cell_id: str, text: str) -> None:
        with self._lock:
            click.echo(f"{cell_id}: {text}", err=True)

    def planned(self, cells: Iterable[str]) -> None:
        """See :class:`View`."""
        self._progress.planned(cells)

    def started(self, cell_id: str, what: str) -> None:
        """See :class:`View`; of a transfer that goes on only its beginning."""
        self._progress.started(cell_id, what)
        what = what.partition(" ")[0] if what.endswith(" MB") else what
        if self._phases.get(cell_id) != what:
            self._phases[cell_id] = what
            self._say(cell_id, what)

    def said(self, cell_id: str, text: str) -> None:
        """What only those want to know who asked for every line."""
        if self._verbose:
            self._say(cell_id, text)

    def event(self, cell_id: str, event: Event) -> None:
        """See :class:`View`."""
        self._progress.event(cell_id, event)
        if isinstance(event, StepFinished) and event.name.startswith("["):
            if event.error:
                self._say(cell_id, f"{'cancelled' if event.cancelled else 'FAILED'} {short(event.name)}")
            elif not event.name.startswith("[internal]"):
                self._say(cell_id, f"{short(event.name)} {'cached' if event.cached else f'{event.seconds:.1f}s'}")
        elif isinstance(event, StepLog):
            self.said(cell_id, f"[{self._progress.place(cell_id, event.digest)}] {output(event.text)}")

    def finished(self, result: Any) -> None:
        """See :class:`View`."""
        ending = self._ending(result)
        self._progress.finished(ending)
        first, *rest = ending.lines
        self._say(ending.id, first.removeprefix(f"{ending.id} "))
        for line in rest:
            self._say(ending.id, f"  {line}")

    def beat(self) -> None:
        """Tell what has run for long without a word here, with the last line that it wrote."""
        for cell in self._progress.snapshot().running:
            for step in cell.steps:
                line = f": {short(step.line)}" if step.line else ""
                self._beat(cell.id, (cell.id, step.digest, step.began), step.seconds, f"[{step.name.place}]", line)
            if cell.phase and not cell.steps:
                key = (cell.id, "", cell.phase_began)
                self._beat(cell.id, key, cell.phase_seconds, short(cell.phase), "")

    def _beat(self, cell_id: str, key: tuple[str, str, float], seconds: float, what: str, line: str) -> None:
        if seconds - self._told.get(key, 0.0) >= HEARTBEAT_S:
            self._told[key] = seconds
            self._say(cell_id, f"{what} runs for {clock(seconds)}{line}")


@contextmanager
def plain_view(*, verbose: bool, progress: Progress, ending: EndingOf) -> Iterator[PlainView]:
    """A plain view with its sign of life, until the block ends."""
    view, done = PlainView(verbose=verbose, progress=progress, ending=ending), threading.Event()

    def beats() -> None:
        while not done.wait(1):
            view.beat()

    thread = threading.Thread(target=beats, name="heartbeat", daemon=True)
    thread.start()
    try:
        yield view
    finally:
        done.set()
        thread.join()


class QuietView:
    """Says nothing: the results are all that is wanted."""

    def planned(self, cells: Iterable[str]) -> None:
        """See :class:`View`."""

    def started(self, cell_id: str, what: str) -> None:
        """See :class:`View`."""

    def event(self, cell_id: str, event: Event) -> None:
        """See :class:`View`."""

    def said(self, cell_id: str, text: str) -> None:
        """See :class:`PlainView`."""

    def finished(self, result: Any) -> None:
        """See :class:`View`."""


def ending_of(result: CellResult) -> Ending:
    """What became of a cell, and for a failure why: the reason, and the last lines of the step."""
    marks: dict[Status, Literal["good", "same", "bad", "open"]] = {
        "built": "good", UP_TO_DATE: "same", "failed": "bad", "cancelled": "open",
    }  # fmt: skip
    outcome: Outcome = result.status if result.status in ("failed", "cancelled") else "done"
    return Ending(id=result.id, outcome=outcome, mark=marks[result.status], lines=tuple(_told(result)))


def _told(result: CellResult) -> Iterator[str]:
    if result.status == "cancelled" and not result.started:
        yield f"{result.id} never started: {'; '.join(result.reasons)}"
        return
    told = f"{result.id} {result.status} in {result.seconds:.1f}s"
    yield f"{told}: {one_line(str(result.error))}" if result.error else told
    if result.error:
        yield from map(output, result.last_lines[-_REASON_LINES:])


def output(text: str) -> str:
    """A line that a step wrote, as a terminal would show it in the end."""
    return harmless(text.rstrip("\r\n").rpartition("\r")[2])


class CellLog:
    """The full log of one cell's build, written line by line."""

    def __init__(self, path: Path) -> None:
        self._file = LogFile(path)
        self._began = time.monotonic()
        self.line(f"# {datetime.now(UTC).isoformat(timespec='seconds')}")

    @property
    def path(self) -> Path:
        """Where it is."""
        return self._file.path

    @property
    def error(self) -> str:
        """Why it ends where it ends; empty where it is whole."""
        return self._file.error

    def line(self, text: str) -> None:
        """Add one line with the seconds since the beginning."""
        self._file.line(f"{time.monotonic() - self._began:9.2f} {harmless(text)}")

    def event(self, event: Event, place: str) -> None:
        """Add what the engine reported; ``place`` is the stage and the step that a line of output is of."""
        match event:
            case StepStarted(name=name):
                self.line(f"=> {one_line(name)}")
            case StepFinished(name=name, cached=cached, seconds=seconds, error=error):
                failed = "cancelled" if event.cancelled else f"FAILED: {error}"
                outcome = failed if error else "cached" if cached else f"done in {seconds:.2f}s"
                self.line(f"<= {one_line(name)} {outcome}")
            case StepLog(text=text):
                self.line(f"[{place}] {text}")
            case BuildWarning(text=text):
                self.line(f"!! {text}")
            case Transfer():
                pass  # counts of bytes are for a view, not for a log

    def close(self) -> None:
        """End the log."""
        self._file.close()


def one_line(text: str) -> str:
    """``text`` with every run of white space as one space."""
    return harmless(" ".join(text.split()))


def short(step: str, limit: int = 100) -> str:
    """A step's name for one line of a terminal."""
    line = one_line(step)
    return line if len(line) <= limit else f"{line[: limit - 1]}…"
