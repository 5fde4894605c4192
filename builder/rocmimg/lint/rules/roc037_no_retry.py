"""F37: a fetch that gives up at the first hiccup."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from rocmimg.lint.context import LintFile
from rocmimg.lint.model import Edit, Hit, Level, Rule

_CURL: Final = " --retry 5 --retry-delay 3 --retry-all-errors"
_WGET: Final = " --tries=5 --retry-connrefused"
_LOCAL: Final = ("http://localhost", "http://127.", "https://localhost")


def check(file: LintFile) -> Iterable[Hit]:
    for _, command in file.commands("curl", "wget"):
        values = command.values()
        remote = any("://" in value or value.startswith("$") for value in values)
        if not remote or command.loop or command.condition or "retry" in command.wrapped:
            continue
        if any(value.startswith(_LOCAL) for value in values):
            continue
        if command.name == "curl":
            if any(value.startswith("--retry") for value in values):
                continue
            message, text, level = "curl without --retry fails the build on the first network error", _CURL, None
        else:
            if any(value.startswith(("--tries", "-t", "--retry")) for value in values):
                continue
            message = "wget gives up at once on a refused connection"
            text, level = _WGET, Level.NOTE
        at = command.name_end
        edits = (Edit(start=at, end=at, text=text),)
        yield Hit(start=command.start, end=command.end, message=message, level=level, edits=edits)


RULE: Final = Rule(
    id="ROC037",
    failure_class="F37",
    level=Level.WARNING,
    title="a fetch has no retry",
    why="An image takes an hour and dozens of fetches; one refused connection ends it.",
    fix="curl --retry 5 --retry-delay 3 --retry-all-errors; wget --tries=5 --retry-connrefused.",
    case="sglang#24407, sglang#35654, sglang#35764",
    bad="FROM rocm/pytorch:latest\nRUN curl -fsSLO https://example.com/tool-1.2.tar.gz\n",
    good=(
        "FROM rocm/pytorch:latest\n"
        "RUN curl --retry 5 --retry-delay 3 --retry-all-errors -fsSLO https://example.com/tool-1.2.tar.gz\n"
    ),
    check=check,
)
