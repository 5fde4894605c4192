"""A stage is used before it is there."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from rocmimg.lint.context import LintFile
from rocmimg.lint.model import Hit, Level, Rule


def check(file: LintFile) -> Iterable[Hit]:
    first = {stage.name: stage.index for stage in reversed(file.dockerfile.stages) if stage.name}
    for stage in file.dockerfile.stages:
        for instruction in stage.instructions:
            mounts = (part.split(",") for part in instruction.flag("mount"))
            sources = [
                *instruction.flag("from"),
                *(f[5:] for fields in mounts for f in fields if f.startswith("from=")),
            ]
            for source in sources:
                index = first.get(source.lower())
                if index is not None and index >= stage.index:
                    where = "itself" if index == stage.index else "a stage further down"
                    message = f"{source} is {where}: it has no files yet"
                    yield Hit(start=instruction.start, end=instruction.end, message=message)


RULE: Final = Rule(
    id="ROC055",
    failure_class="-",
    level=Level.ERROR,
    title="a stage is used before it is there",
    why="A stage sees the stages above it. BuildKit (Docker 20.10) takes a later one as empty, and the build fails.",
    fix="Move the stage that is used above the one that uses it.",
    case="vllm#32179",
    bad="FROM ubuntu:24.04 AS mori\nRUN --mount=type=bind,from=torch,target=/t ls /t\nFROM ubuntu:24.04 AS torch\n",
    good="FROM ubuntu:24.04 AS torch\nFROM ubuntu:24.04 AS mori\nRUN --mount=type=bind,from=torch,target=/t ls /t\n",
    check=check,
)
