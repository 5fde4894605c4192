"""Tables for a pull request or the summary of a job."""

from __future__ import annotations

import re
from collections.abc import Sequence

from rocmimg.checks.model import TIERS, ImageResult
from rocmimg.report.checks import missing_lines, tier_text
from rocmimg.terminal import harmless


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table; values are text, whatever they hold."""
    lines = [header, ["---"] * len(header), *([_cell(value) for value in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"


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
