"""The live view of a terminal: one line a cell, with its current step and the last line that it wrote."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from rich.console import Console, ConsoleOptions, RenderResult
from rich.live import Live
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from rocmimg.builds.decide import UP_TO_DATE
from rocmimg.builds.observe import short
from rocmimg.builds.results import CellResult
from rocmimg.engine import Event, StepFinished, StepLog, StepStarted, Transfer
from rocmimg.terminal import console

_STEP = 50  # characters of a step's name: its last output is worth more of the line
_MARKS = {"built": "[green]✓", UP_TO_DATE: "[cyan]✓", "failed": "[bold red]✗", "cancelled": "[yellow]-"}


@dataclass(slots=True)
class _Line:
    began: float
    what: str = ""
    output: str = ""
    running: dict[str, str] = field(default_factory=dict)
    result: CellResult | None = None


class LiveView:
    """See :class:`~rocmimg.builds.observe.View`."""

    def __init__(self) -> None:
        self._lines: dict[str, _Line] = {}
        self._lock = threading.Lock()
        self._spinner = Spinner("dots")

    def started(self, cell_id: str, what: str) -> None:
        """The cell's work began, or went on to another phase."""
        with self._lock:
            self._lines.setdefault(cell_id, _Line(began=time.monotonic())).what = what

    def event(self, cell_id: str, event: Event) -> None:
        """The engine reported."""
        with self._lock:
            line = self._lines.setdefault(cell_id, _Line(began=time.monotonic()))
            match event:
                case StepStarted(digest=digest, name=name):
                    line.running[digest] = name
                case StepFinished(digest=digest):
                    line.running.pop(digest, None)
                case StepLog(text=text) if text.strip():
                    line.output = text
                case Transfer(what=what, current=current, total=total) if total:
                    line.output = f"{what} {current / 1e6:.0f} of {total / 1e6:.0f} MB"
                case _:
                    pass

    def finished(self, result: CellResult) -> None:
        """The cell is done."""
        with self._lock:
            self._lines.setdefault(result.id, _Line(began=time.monotonic())).result = result

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Draw one frame."""
        table = Table.grid(padding=(0, 1), expand=True)
        with self._lock:
            table.add_column(width=1)
            table.add_column(width=max(map(len, self._lines), default=1), no_wrap=True)
            table.add_column(width=7, justify="right", no_wrap=True)
            table.add_column(ratio=1, no_wrap=True, overflow="ellipsis")
            for cell_id, line in self._lines.items():
                if line.result:
                    mark, seconds = Text.from_markup(_MARKS[line.result.status]), line.result.seconds
                    detail = Text(line.result.status)
                else:
                    seconds = time.monotonic() - line.began
                    steps = [name for name in line.running.values() if name.startswith("[")]
                    detail = Text(short(steps[0], _STEP) if steps else line.what)
                    detail.append(f"  {short(line.output)}", style="dim")
                    mark = self._spinner  # type: ignore[assignment]
                table.add_row(mark, cell_id, f"{seconds:.1f}s", detail)
        yield table


@contextmanager
def live_view() -> Iterator[LiveView]:
    """A view that is redrawn until the block ends, on standard error."""
    view = LiveView()
    with Live(view, console=console(stderr=True), refresh_per_second=8, transient=True):
        yield view
