"""Tables: rich on a terminal, aligned plain text elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Final

import click

from rocmimg.terminal import console, harmless

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


def print_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print rows under a header; a cell that is one of :data:`STYLES` gets its colour on a terminal."""
    if sys.stdout.isatty():
        _print_rich(header, rows)
        return
    widths = [max(len(str(row[i])) for row in (header, *rows)) for i in range(len(header))]
    for row in (header, *rows):
        line = "  ".join(str(value).ljust(width) for value, width in zip(row, widths, strict=True))
        click.echo(line.rstrip())


def _print_rich(header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for name in header:
        table.add_column(name, overflow="fold")
    for row in rows:
        table.add_row(*(Text(harmless(str(value)), style=STYLES.get(str(value), "")) for value in row))
    console().print(table)
