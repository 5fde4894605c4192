"""Who is told while images are built: a log file each, and a view."""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

import click

from rocmimg.builds.results import CellResult
from rocmimg.engine import BuildWarning, Event, StepFinished, StepLog, StepStarted, Transfer
from rocmimg.files import LogFile
from rocmimg.terminal import harmless


class View(Protocol):
    """Is told of everything, from several threads."""

    def started(self, cell_id: str, what: str) -> None:
        """The cell's work began, or went on to another phase."""

    def event(self, cell_id: str, event: Event) -> None:
        """The engine reported."""

    def finished(self, result: CellResult) -> None:
        """The cell is done."""


class PlainView:
    """One line for each step that ended; for logs of CI and for pipes."""

    def __init__(self) -> None:
        self._lock = threading.Lock()

    def _say(self, cell_id: str, text: str) -> None:
        with self._lock:
            click.echo(f"{cell_id}: {text}", err=True)

    def started(self, cell_id: str, what: str) -> None:
        """See :class:`View`."""
        self._say(cell_id, what)

    def event(self, cell_id: str, event: Event) -> None:
        """See :class:`View`."""
        if isinstance(event, StepFinished) and event.name.startswith("["):
            if event.error:
                self._say(cell_id, f"{'cancelled' if event.cancelled else 'FAILED'} {short(event.name)}")
            elif not event.name.startswith("[internal]"):
                self._say(cell_id, f"{short(event.name)} {'cached' if event.cached else f'{event.seconds:.1f}s'}")

    def finished(self, result: CellResult) -> None:
        """See :class:`View`."""
        self._say(result.id, f"{result.status} in {result.seconds:.1f}s")


class QuietView:
    """Says nothing: the caller prints machine-readable output."""

    def started(self, cell_id: str, what: str) -> None:
        """See :class:`View`."""

    def event(self, cell_id: str, event: Event) -> None:
        """See :class:`View`."""

    def finished(self, result: CellResult) -> None:
        """See :class:`View`."""


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
        if not isinstance(event, StepLog | Transfer):
            self._file.flush()

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
