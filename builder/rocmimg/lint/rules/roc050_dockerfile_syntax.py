"""The file is not a Dockerfile that BuildKit reads."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable
from typing import Final

from rocmimg.lint.context import LintFile
from rocmimg.lint.model import Hit, Level, Rule

_WHOLE: Final = re.compile(r"(.*\.)?(dockerfile|containerfile)", re.IGNORECASE)
_SPACED: Final = re.compile(rb"<<-?[ \t]+[\"']?\w+[\"']?")


def check(file: LintFile) -> Iterable[Hit]:
    problems = file.dockerfile.problems
    if problems:
        # The first one says where it begins: what follows is often the rest of the same text.
        first, *more = problems
        message = first.message
        if _SPACED.search(file.source.data[: first.start].rstrip().rpartition(b"\n")[2]):
            message = "BuildKit reads no here-document with a space behind `<<`: the lines below are instructions to it"
        yield Hit(start=first.start, end=first.end, message=message, more=tuple(problem.start for problem in more))
    if not file.dockerfile.problems and not file.dockerfile.stages:
        # Dockerfile.part and the like are put together by another program.
        whole = _WHOLE.fullmatch(posixpath.basename(file.source.name)) is not None
        message = "there is no FROM: no image comes out of this file"
        yield Hit(start=0, end=0, message=message, level=None if whole else Level.NOTE)


RULE: Final = Rule(
    id="ROC050",
    failure_class="-",
    level=Level.ERROR,
    title="the Dockerfile does not parse",
    why="The build ends before it begins.",
    fix="Correct the instruction that the message names.",
    case="BuildKit's own parser",
    bad="FROM ubuntu:24.04\nRUNN true\n",
    good="FROM ubuntu:24.04\nRUN true\n",
    check=check,
    replaces=("DL1000",),
)
