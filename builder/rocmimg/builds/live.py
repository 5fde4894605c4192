"""The live view of a terminal: what runs, redrawn in place; what ended is printed above it and scrolls away."""

from __future__ import annotations

import queue
import sys
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any, Final, cast

from rich.console import Console, ConsoleOptions, RenderResult
from rich.live import Live
from rich.spinner import Spinner
from rich.text import Text

from rocmimg.builds.observe import EndingOf, ending_of, output, short
from rocmimg.builds.progress import Progress, RunningCell, RunningStep, clock
from rocmimg.engine import Event, StepLog
from rocmimg.terminal import console

_FRAME_S: Final = 0.25
_MARKS: Final = {
    "good": ("\u2713", "+", "green"),
    "same": ("\u2713", "+", "cyan"),
    "bad": ("\u2717", "x", "bold red"),
    "open": ("-", "-", "yellow"),
}


class LiveView:
    """See :class:`~rocmimg.builds.observe.View`."""

    def __init__(
        self,
        screen: Console,
        *,
        verbose: bool = False,
        progress: Progress | None = None,
        ending: EndingOf | None = None,
    ) -> None:
        self._screen = screen
        self._ascii = screen.options.ascii_only
        self._verbose = verbose
        self._progress = progress or Progress()
        self._ending = ending or ending_of
        self._spinner = Spinner("line" if self._ascii else "dots")
        self._ended: queue.SimpleQueue[Text] = queue.SimpleQueue()

    def planned(self, cells: Iterable[str]) -> None:
        """The cells of the run."""
        self._progress.planned(cells)

    def started(self, cell_id: str, what: str) -> None:
        """The cell's work began, or went on to another phase."""
        self._progress.started(cell_id, what)

    def event(self, cell_id: str, event: Event) -> None:
        """The engine reported."""
        self._progress.event(cell_id, event)
        if isinstance(event, StepLog):
            place = self._progress.place(cell_id, event.digest)
            self.said(cell_id, f"[{place}] {output(event.text)}")

    def said(self, cell_id: str, text: str) -> None:
        """What only those want to know who asked for every line."""
        if self._verbose:
            self._print(Text(f"{cell_id} {text}", style="dim"))

    def finished(self, result: Any) -> None:
        """The cell is done: printed above what runs, with the reason of a failure."""
        ending = self._ending(result)
        self._progress.finished(ending)
        mark, plain, style = _MARKS[ending.mark]
        first, *rest = ending.lines
        self._print(Text.assemble((plain if self._ascii else mark, style), " ", (first, style if rest else "")))
        for line in rest:
            self._print(Text(f"    {line}"))

    def _print(self, text: Text) -> None:
        self._ended.put(text)

    def draw(self, live: Live) -> None:
        """Print what ended and redraw what runs; in one thread only, as a frame takes back the one before it."""
        lines = [self._ended.get() for _ in range(self._ended.qsize())]
        if lines:
            # The terminal wraps what is too long, so that an id, a tag or a path can be copied in one piece.
            self._screen.print(Text("\n").join(lines), soft_wrap=True, highlight=False)
        live.refresh()

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Draw one frame, never taller than the terminal."""
        now = self._progress.snapshot()
        head = Text.assemble((clock(now.seconds), "bold"), "  ", now.counts)
        lines = head.wrap(console, options.max_width)
        yield from lines
        # One line stays free for the cursor.
        for line in self._rows(now.running, options.size.height - len(lines) - 1):
            line.truncate(options.max_width, overflow="crop" if self._ascii else "ellipsis")
            yield line

    def _rows(self, cells: tuple[RunningCell, ...], room: int) -> Iterator[Text]:
        """A row a cell and a row a running step; where there is no room for all, the steps that run longest."""
        hidden = len(cells) - room + 1 if len(cells) > room else 0
        cells = cells[: len(cells) - hidden]
        steps = [step for cell in cells for step in cell.steps]
        chosen = sorted(steps, key=lambda step: -step.seconds)[: max(0, room - len(cells) - bool(hidden))]
        shown = {id(step) for step in chosen}
        spinner = cast("Text", self._spinner.render(self._screen.get_time()))
        for cell in cells:
            mine = [step for step in cell.steps if id(step) in shown]
            left_out = len(cell.steps) - len(mine)
            more = f"{left_out} {'more ' if mine else ''}running" if left_out else ""
            said = more or ("" if mine else short(cell.phase))
            yield Text.assemble(spinner, " ", (cell.id, "bold"), f"  {clock(cell.seconds)}  ", (said, "dim"))
            places = max((len(step.name.place) for step in mine), default=0)
            times = max((len(clock(step.seconds)) for step in mine), default=0)
            for step in mine:
                yield _row(step, places, times)
        if hidden:
            yield Text(f"  and {hidden} more cells", style="dim")


def _row(step: RunningStep, places: int, times: int) -> Text:
    line = step.line or short(step.name.text)
    return Text.assemble(
        f"    {step.name.place:<{places}}  {clock(step.seconds):>{times}}  ", (line, "" if step.line else "dim")
    )


@contextmanager
def live_view(
    *, verbose: bool = False, progress: Progress | None = None, ending: EndingOf | None = None
) -> Iterator[LiveView]:
    """A view that is redrawn until the block ends, on standard error."""
    screen = console(stderr=True)
    view = LiveView(screen, verbose=verbose, progress=progress, ending=ending)
    # Lines for a terminal go above what is drawn; standard output that goes elsewhere stays there.
    tty = sys.stdout.isatty()
    with Live(view, console=screen, auto_refresh=False, transient=True, redirect_stdout=tty) as live:
        done = threading.Event()

        def frames() -> None:
            while not done.wait(_FRAME_S):
                view.draw(live)

        thread = threading.Thread(target=frames, name="live view", daemon=True)
        thread.start()
        try:
            yield view
        finally:
            done.set()
            thread.join()
            view.draw(live)
