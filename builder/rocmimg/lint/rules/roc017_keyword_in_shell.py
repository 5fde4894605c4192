"""F17: a Dockerfile instruction used as a shell command."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from rocmimg.lint.context import LintFile
from rocmimg.lint.model import Hit, Level, Rule

_KEYWORDS: Final = frozenset(
    {"ADD", "ARG", "CMD", "COPY", "ENTRYPOINT", "ENV", "EXPOSE", "FROM", "HEALTHCHECK", "LABEL", "ONBUILD", "RUN"}
    | {"SHELL", "STOPSIGNAL", "USER", "VOLUME", "WORKDIR"}
)


def check(file: LintFile) -> Iterable[Hit]:
    for _, command in file.commands(*_KEYWORDS):
        values = command.values()
        swallowed = next((value for value in values if value in {"git", "pip", "python", "cmake", "make", "cd"}), None)
        after = f"; `{swallowed} ...` became its arguments" if swallowed else ""
        yield Hit(
            start=command.start,
            end=command.name_end,
            message=f"{command.name} is a Dockerfile instruction; the shell has no such command{after}",
        )


RULE: Final = Rule(
    id="ROC017",
    failure_class="F17",
    level=Level.ERROR,
    title="a Dockerfile instruction is used as a shell command",
    why="The branch ends with `command not found` the first time that it runs, often months later behind a flag.",
    fix="Inside RUN: export NAME=value; or move the instruction out of the RUN.",
    case="SGLang's rocm.Dockerfile, the branch for BUILD_LLVM=1",
    bad='FROM rocm/pytorch:latest\nRUN if [ "$BUILD_LLVM" = 1 ]; then ENV HIP_CLANG_PATH=/llvm/bin; fi\n',
    good='FROM rocm/pytorch:latest\nRUN if [ "$BUILD_LLVM" = 1 ]; then export HIP_CLANG_PATH=/llvm/bin; fi\n',
    check=check,
)
