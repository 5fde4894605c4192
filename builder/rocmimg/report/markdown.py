"""Tables for a pull request or the summary of a job."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from rocmimg.checks.model import TIERS, ImageResult
from rocmimg.report.checks import missing_lines, tier_text
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


def results(images: Sequence[ImageResult]) -> str:
    """The results of ``rocmimg test``: a table, the failures, and what was not proven."""
    rows = [(one.id, one.status.replace("-", " "), *(tier_text(one, tier) for tier in TIERS)) for one in images]
    parts = [table(("cell or image", "result", *TIERS), rows)]
    failures = [
        (one.id, check.id, " ".join(check.classes), check.reason, check.fix) for one in images for check in one.failures
    ]
    if failures:
        parts.append("#### Failed\n\n" + table(("image", "check", "class", "what", "fix"), failures))
    if missing := missing_lines(images):
        parts.append("#### Not proven\n\n" + "".join(f"- {_cell(line)}\n" for line in missing))
    return "\n".join(parts)
