"""Where things are on a page, and the signs that stand before them."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final
from urllib.parse import quote

from rocmimg.checks.model import Status
from rocmimg.report.page.model import State

GLYPHS: Final[Mapping[State, str]] = {"ok": "✓", "missing": "!", "failed": "✗", "info": ""}
STATES: Final[Mapping[Status, State]] = {
    "failed": "failed",
    "not-run": "missing",
    "waived": "info",
    "passed": "ok",
    "not-applicable": "info",
}
WORDS: Final = {"not-run": "not run", "not-applicable": "n/a"}


def anchor(name: str) -> str:
    """The id of a cell's section."""
    return "cell-" + re.sub(r"[^A-Za-z0-9.-]", lambda found: f"_{ord(found[0]):x}_", name)


def short_reference(reference: str) -> str:
    """An image's reference with so much of its digest as a person compares."""
    return re.sub(r"(@sha256:[0-9a-f]{12})[0-9a-f]+", r"\1", reference)


def link(path: str, page: Path) -> str:
    """A file of this machine as the page can name it."""
    return quote(os.path.relpath(path, page.resolve().parent)) if path else ""
