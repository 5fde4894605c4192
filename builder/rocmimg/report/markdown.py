"""Tables for a pull request or the summary of a job."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from rocmimg.terminal import harmless

_ROWS: Final = 60
"""So many rows are shown: a comment of a pull request takes 65,536 characters."""


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table; values are text, whatever they hold."""
    lines = [header, ["---"] * len(header), *([_cell(value) for value in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"


def short_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """The same, of the first rows, and how many more there are."""
    more = len(rows) - _ROWS
    return table(header, rows[:_ROWS]) + (f"\n{more} more are not shown here.\n" if more > 0 else "")


def code(value: str) -> str:
    """Text of one line as code, whatever it holds."""
    text = " ".join(harmless(value).split())
    fence = "`" * (1 + max((len(run) for run in re.findall("`+", text)), default=0))
    pad = " " if text.startswith("`") or text.endswith("`") else ""
    return f"{fence}{pad}{text}{pad}{fence}" if text else ""


def plain(value: str) -> str:
    """Text of one line as text, whatever it holds."""
    return _cell(value)


def _cell(value: str) -> str:
    text = re.sub(r"\s+", " ", harmless(str(value))).replace("&", "&amp;").replace("<", "&lt;")
    return re.sub(r"([\\`*_{}\[\]()#+!|~@>-])", r"\\\1", text)
