"""The file is not a Dockerfile that BuildKit reads."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from rocmimg.lint.context import LintFile
from rocmimg.lint.model import Hit, Level, Rule


def check(file: LintFile) -> Iterable[Hit]:
    for problem in file.dockerfile.problems:
        yield Hit(start=problem.start, end=problem.end, message=problem.message)
    if not file.dockerfile.problems and not file.dockerfile.stages:
        yield Hit(start=0, end=0, message="there is no FROM: no image comes out of this file")


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
