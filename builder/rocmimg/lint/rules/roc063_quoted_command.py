"""A RUN that is one quoted word: the shell looks for a program of that name."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from rocmimg.lint.context import LintFile
from rocmimg.lint.model import Hit, Level, Rule

_SEVERAL: Final = re.compile(r"[;&|]|\S\s+\S")


def check(file: LintFile) -> Iterable[Hit]:
    for _, command in file.commands():
        name = command.path
        if command.words or command.wrapped or not _SEVERAL.search(name) or "$" in name:
            continue
        if command.name_end - command.start == len(name.encode()) + 2:
            message = "the whole text is one quoted word: the shell looks for a program of that name"
            yield Hit(start=command.start, end=command.end, message=message)


RULE: Final = Rule(
    id="ROC063",
    failure_class="-",
    level=Level.ERROR,
    title="a command is one quoted word",
    why="The step ends with `not found`, as no program has that name.",
    fix="Leave the quotes out.",
    case="issue 13",
    bad='FROM ubuntu:24.04\nRUN "./run.sh; exit 0"\n',
    good="FROM ubuntu:24.04\nRUN ./run.sh; exit 0\n",
    check=check,
)
