"""F19: twins that drifted apart: stages for two archs, or two files for two ROCm versions."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Iterator
from typing import Final

from rocmimg.lint.context import LintFile
from rocmimg.lint.model import Hit, Level, Rule
from rocmimg.lint.syntax import Stage

_GFX: Final = re.compile(r"gfx[0-9a-f]{3,4}|mi\d{2,3}x?", re.IGNORECASE)
_PIN: Final = re.compile(r"\w+_(COMMIT|BRANCH|REF|TAG|SHA|VERSION)(_DEFAULT)?")
_EXPORT: Final = re.compile(r"export ([A-Za-z_]\w*)=")
_SWITCHES: Final = frozenset({"0", "1", "true", "false", "on", "off", "yes", "no"})
_COMMENT_REACH: Final = 4
_SHARED: Final = 0.6
_PAIR: Final = 2


def _explained(file: LintFile, start: int) -> bool:
    """A comment stands in the lines above: the difference is meant."""
    line = file.source.line(start)
    return any(
        0 < line - file.source.line(comment.start) <= _COMMENT_REACH
        for comment in file.dockerfile.comments
        if comment.text.strip("=-# ") and not comment.text.lower().startswith("base image")
    )


def _env(stage: Stage) -> dict[str, tuple[str, int, int]]:
    return {
        pair.name: (_GFX.sub("GFX", pair.value or ""), pair.start, pair.end)
        for instruction in stage.instructions
        if instruction.keyword == "ENV"
        for pair in instruction.pairs
    }


def _stages(file: LintFile) -> Iterator[Hit]:
    labels = {variant.label.lower() for variant in file.scopes.variants}
    groups: dict[str, list[Stage]] = {}
    for stage in file.dockerfile.stages:
        if stage.name in labels and _GFX.search(stage.name):
            groups.setdefault(_GFX.sub("GFX", stage.name), []).append(stage)
    for twins in groups.values():
        tables = [(stage, _env(stage)) for stage in twins]
        for name in dict.fromkeys(name for _, table in tables for name in table):
            values = [table[name][0] if name in table else None for _, table in tables]
            if len(set(values)) == 1:
                continue
            usual = max(set(values), key=values.count)
            odd = max(i for i, value in enumerate(values) if value != usual or len(values) == _PAIR)
            present = [table[name] for _, table in tables if name in table]
            if any(_explained(file, start) for _, start, _ in present):
                continue
            stage, table = tables[odd]
            start, end = table[name][1:] if name in table else (stage.start.start, stage.start.end)
            others = ", ".join(s.name for s, _ in tables if s is not stage)
            state = "differs from" if name in table else "is not set as in"
            message = f"{name} of {stage.name} {state} its twin {others}, without a comment"
            # A part that one arch builds and another does not is often meant so.
            switch = all((value or "0").strip("\"'").lower() in _SWITCHES for value in values)
            yield Hit(start=start, end=end, message=message, level=Level.NOTE if switch else None)


def _pins(file: LintFile) -> dict[str, tuple[set[str], int, int]]:
    found: dict[str, tuple[set[str], int, int]] = {}
    for instruction in file.dockerfile.instructions:
        for pair in instruction.pairs if instruction.keyword in {"ARG", "ENV"} else ():
            value = (pair.value or "").strip("\"'")
            if _PIN.fullmatch(pair.name) and value and "$" not in value:
                entry = found.setdefault(pair.name, (set(), pair.start, pair.end))
                entry[0].add(value)
    return found


def _names(file: LintFile) -> set[str]:
    names = {p.name for i in file.dockerfile.instructions if i.keyword == "ENV" for p in i.pairs}
    for _, command in file.commands("echo", "printf"):
        if command.redirects:
            names.update(_EXPORT.findall(" ".join(command.values())))
    return names


def check(file: LintFile) -> Iterable[Hit]:
    yield from _stages(file)
    for other in file.siblings:
        name = posixpath.basename(other.source.name)
        mine, theirs = _pins(file), _pins(other)
        for pin in sorted(mine.keys() & theirs.keys()):
            values, start, end = mine[pin]
            if values.isdisjoint(theirs[pin][0]):
                listed = ", ".join(sorted(theirs[pin][0]))
                message = f"{pin} differs from {name}, which has {listed}"
                yield Hit(start=start, end=end, message=message, level=Level.NOTE)
        here, there = _names(file), _names(other)
        if here and there and len(here & there) >= _SHARED * min(len(here), len(there)):
            missing = sorted(there - here)
            if missing:
                message = f"{name} sets {', '.join(missing)}; this file does not"
                yield Hit(start=0, end=0, message=message, level=Level.NOTE)


RULE: Final = Rule(
    id="ROC019",
    failure_class="F19",
    level=Level.WARNING,
    title="twin stages or files drifted apart",
    why="A fix lands in one flavour and is forgotten in the other; the other fails weeks later.",
    fix="Make them equal, or say in a comment above why they differ.",
    case="sglang#19210, sglang#18972, vllm#37941",
    bad=(
        "ARG GPU_ARCH=gfx942\nFROM rocm/a:1 AS gfx942\nENV AITER_COMMIT=v0.1.12\n"
        "FROM rocm/a:1 AS gfx950\nENV AITER_COMMIT=v0.1.11\nFROM ${GPU_ARCH}\nRUN echo ${AITER_COMMIT}\n"
    ),
    good=(
        "ARG GPU_ARCH=gfx942\nFROM rocm/a:1 AS gfx942\nENV AITER_COMMIT=v0.1.12\n"
        "FROM rocm/a:1 AS gfx950\nENV AITER_COMMIT=v0.1.12\nFROM ${GPU_ARCH}\nRUN echo ${AITER_COMMIT}\n"
    ),
    check=check,
)
