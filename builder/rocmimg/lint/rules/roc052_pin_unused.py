"""A source is cloned, and the pin that the file keeps for it is never checked out."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from rocmimg.lint.context import LintFile, Run
from rocmimg.lint.expand import uses
from rocmimg.lint.model import Hit, Level, Rule
from rocmimg.lint.shell import Command
from rocmimg.lint.tools import clone_folder, git

_EXACT: Final = ("COMMIT", "SHA", "REF", "REVISION")
_LOOSE: Final = ("TAG", "BRANCH")


def check(file: LintFile) -> Iterable[Hit]:
    used: set[str] = set()
    for run in file.runs:
        words = [a.value for a in run.script.assignments]
        for command in run.script.commands:
            if command.name not in {"echo", "printf"}:
                words += [*command.words, *(a.value for a in command.assignments)]
        used.update(use.name for word in words if not word.literal for use in uses(word.value))
    for instruction in file.dockerfile.instructions:
        values = [pair.value or "" for pair in instruction.pairs] + list(instruction.words)
        used.update(use.name for value in values for use in uses(value))
    for run, command in file.commands("git"):
        operation = git(command)
        if operation is None or operation.verb != "clone" or operation.url is None:
            continue
        names = [use.name for use in uses(operation.url.value)]
        stem = names[0] if names else clone_folder(operation.url.value)
        prefix = re.sub(r"_(REPO|URL|GIT|REPOSITORY|REPO_URL|GIT_URL)$", "", re.sub(r"\W", "_", stem).upper())
        variant = file.scopes.variants_of(run.stage)[0]
        for suffixes in (_EXACT, _LOOSE):
            pins = [
                f"{prefix}_{suffix}"
                for suffix in suffixes
                if file.scopes.binding(run.stage, run.instruction.index, f"{prefix}_{suffix}", variant)
                or f"{prefix}_{suffix}" in file.scopes.globals
            ]
            if pins and not used & set(pins):
                message = f"{stem} is cloned, but its pin {pins[0]} is never checked out"
                other = _another_ref(run, command)
                if other:
                    message = f"{stem} has the pin {pins[0]}, which nothing reads: {other} is checked out"
                yield Hit(
                    start=command.start,
                    end=command.end,
                    message=message,
                    level=Level.WARNING if other else Level.ERROR,
                )
                break
            if pins:
                break


def _another_ref(run: Run, clone: Command) -> str:
    """The ref that the same RUN checks out after a clone."""
    for command in run.script.commands:
        operation = git(command)
        if command.start > clone.start and operation is not None and operation.ref is not None:
            return operation.ref.value
    return ""


RULE: Final = Rule(
    id="ROC052",
    failure_class="-",
    level=Level.ERROR,
    title="a source is cloned and its pin is never checked out",
    why="The file says one commit and the image holds another: the head of the day.",
    fix="git checkout the pin after the clone.",
    case="the catalogue of failures, last paragraph",
    bad=(
        "FROM rocm/pytorch:latest\nARG FHT_REPO=https://github.com/a/fht\n"
        "ARG FHT_COMMIT=46efb7d776d38638fc39f3c803eaee3dd7016bd1\nRUN git clone ${FHT_REPO} && cd fht && make\n"
    ),
    good=(
        "FROM rocm/pytorch:latest\nARG FHT_REPO=https://github.com/a/fht\n"
        "ARG FHT_COMMIT=46efb7d776d38638fc39f3c803eaee3dd7016bd1\n"
        "RUN git clone ${FHT_REPO} && cd fht && git checkout ${FHT_COMMIT} && make\n"
    ),
    check=check,
)
