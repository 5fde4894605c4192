"""What `rocmimg test` shows while it works: a line per image that is redrawn, or plain lines where nobody watches."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import click
from rich.console import Console, ConsoleOptions, RenderResult
from rich.live import Live
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from rocmimg.checks.model import ImageResult
from rocmimg.report.checks import summary
from rocmimg.terminal import console, harmless


class PlainView:
    """A line on standard error for each step that is new, and one when an image is done."""

    def __init__(self) -> None:
        self._last: dict[str, str] = {}
        self._lock = threading.Lock()

    def step(self, image: str, what: str) -> None:
        """What is done with an image now; of transfers that go on only the first."""
        what = what.partition(" ")[0] if what.endswith(" MB") else what
        with self._lock:
            if self._last.get(image) != what:
                self._last[image] = what
                click.echo(f"{image}: {what}", err=True)

    def finished(self, result: ImageResult) -> None:
        """An image is judged."""
        click.echo(f"{result.id}: {summary(result)}", err=True)


@dataclass(slots=True)
class _Line:
    began: float
    what: str
    result: ImageResult | None = None


class LiveView:
    """The same as one line per image."""

    def __init__(self) -> None:
        self._lines: dict[str, _Line] = {}
        self._lock = threading.Lock()
        self._spinner = Spinner("dots")

    def step(self, image: str, what: str) -> None:
        """What is done with an image now."""
        with self._lock:
            self._lines.setdefault(image, _Line(time.monotonic(), what)).what = what

    def finished(self, result: ImageResult) -> None:
        """An image is judged."""
        with self._lock:
            self._lines.setdefault(result.id, _Line(time.monotonic(), "")).result = result

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Draw one frame."""
        table = Table.grid(padding=(0, 1), expand=True)
        for width in (1, None):
            table.add_column(width=width, no_wrap=True)
        table.add_column(width=7, justify="right", no_wrap=True)
        table.add_column(ratio=1, no_wrap=True, overflow="ellipsis")
        with self._lock:
            for image, line in self._lines.items():
                if line.result:
                    colour = {"failed": "red", "passed": "green"}.get(line.result.status, "yellow")
                    table.add_row(
                        Text("\u2022", colour), image, f"{line.result.seconds:.1f}s", harmless(summary(line.result))
                    )
                else:
                    table.add_row(self._spinner, image, f"{time.monotonic() - line.began:.1f}s", harmless(line.what))
        yield table


@contextmanager
def view() -> Iterator[PlainView | LiveView]:
    """The view that fits standard error."""
    if not sys.stderr.isatty():
        yield PlainView()
        return
    shown = LiveView()
    with Live(shown, console=console(stderr=True), refresh_per_second=8, transient=True):
        yield shown
