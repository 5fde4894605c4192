"""Tables: rich on a terminal, aligned plain text elsewhere."""

from __future__ import annotations

import shutil
import sys
import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

import click

from rocmimg.terminal import console, harmless

if TYPE_CHECKING:
    from rich.console import Console

STYLES: Final = {
    "passed": "green",
    "built": "green",
    "ok": "green",
    "up-to-date": "cyan",
    "failed": "bold red",
    "problem": "bold red",
    "cancelled": "yellow",
    "not run": "yellow",
}
_GAP: Final = 3
"""Columns between two columns of a table."""
_PROSE: Final = 24
"""Text that is wrapped to less than this is hard to read."""
_TEXT: Final = 110


def text_width() -> int:
    """How long lines of text may be."""
    return min(_TEXT, shutil.get_terminal_size().columns) if sys.stdout.isatty() else _TEXT


def filled(text: str, first: str = "", rest: str = "") -> str:
    """``text`` as lines of that length; a word that is longer, such as a tag or a path, stays whole."""
    return textwrap.fill(
        text,
        text_width(),
        initial_indent=first,
        subsequent_indent=rest,
        break_long_words=False,
        break_on_hyphens=False,
    )


def print_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print rows under a header; a cell that is one of :data:`STYLES` gets its colour on a terminal.

    Where a terminal is too narrow, each row becomes a block: no id and no tag is broken.
    """
    if sys.stdout.isatty():
        cells = [[harmless(str(value)) for value in row] for row in rows]
        _print_rich(console(), header, cells)
        return
    widths = [max(len(str(row[i])) for row in (header, *rows)) for i in range(len(header))]
    for row in (header, *rows):
        line = "  ".join(str(value).ljust(width) for value, width in zip(row, widths, strict=True))
        click.echo(line.rstrip())


def _print_rich(screen: Console, header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    widths = column_widths(header, rows, screen.width)
    if widths is None:
        _print_blocks(screen, header, rows)
        return
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for name, width in zip(header, widths, strict=True):
        table.add_column(name, width=width)
    for row in rows:
        table.add_row(*(Text(value, style=STYLES.get(value, "")) for value in row))
    screen.print(table)


def column_widths(header: Sequence[str], rows: Sequence[Sequence[str]], room: int) -> list[int] | None:
    """Widths at which no word is broken; None where there are none."""
    from rich.cells import cell_len

    columns = [[name, *(row[index] for row in rows)] for index, name in enumerate(header)]
    wanted = [max(cell_len(line) for value in column for line in value.splitlines() or [""]) for column in columns]
    words = [max((cell_len(word) for value in column for word in value.split()), default=0) for column in columns]
    least = [max(word, min(want, _PROSE)) for word, want in zip(words, wanted, strict=True)]
    left = room - _GAP * (len(columns) - 1) - sum(least)
    if left < 0:
        return None
    widths = list(least)
    # The shortest get all that they want first, what they leave goes to the longer ones.
    order = sorted(range(len(widths)), key=lambda index: wanted[index] - least[index])
    for place, index in enumerate(order):
        more = min(wanted[index] - least[index], left // (len(order) - place))
        widths[index] += more
        left -= more
    return widths


def _print_blocks(screen: Console, header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """A row as a block under its first cell; a row without one goes on with the block before it."""
    from rich.text import Text

    label = max(map(len, header[1:]), default=0)
    for row in rows:
        if row[0]:
            screen.print(Text(row[0], style="bold"), soft_wrap=True)
        for name, value in zip(header[1:], row[1:], strict=True):
            if not value:
                continue
            lines = textwrap.wrap(
                value, max(1, screen.width - label - 4), break_long_words=False, break_on_hyphens=False
            )
            for number, line in enumerate(lines):
                start = Text(f"  {name if number == 0 else '':<{label}}  ", style="dim")
                screen.print(start.append(line, style=STYLES.get(value, "not dim")), soft_wrap=True)
