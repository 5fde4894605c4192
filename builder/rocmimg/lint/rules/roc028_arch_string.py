"""F28: a GPU arch is cut out of a string the wrong way, or is none."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Final

from rocmimg.lint.context import LintFile
from rocmimg.lint.expand import Use, strip, unquote, uses
from rocmimg.lint.model import Hit, Level, Rule
from rocmimg.lint.scope import Variant

_ARCH_NAME: Final = re.compile(r"\w*(GPU_ARCH|GFX|ROCM_ARCH|AMDGPU_TARGET|GPU_TARGET)\w*")
_GFX: Final = re.compile(r"(?<![\w-])gfx[0-9A-Za-z]+(?:-\w+)*")
# Families of TheRock (gfx94X-dcgpu), LLVM's generic targets (gfx9-4-generic), the start of a name.
_GROUP: Final = re.compile(r"gfx\d+X(?:-\w+)?|gfx\d+(?:-\d)?-generic|gfx\d{1,2}")
# Newer generations than the table: a later LLVM decides.
_NEWER: Final = re.compile(r"gfx(?:11[6-9]|12|13|14)\d+")
# LLVM's AMDGPU processors, and its generic ones.
_KNOWN: Final = frozenset(
    """
    gfx600 gfx601 gfx602 gfx700 gfx701 gfx702 gfx703 gfx704 gfx705 gfx801 gfx802 gfx803 gfx805 gfx810 gfx900 gfx902
    gfx904 gfx906 gfx908 gfx909 gfx90a gfx90c gfx940 gfx941 gfx942 gfx950 gfx1010 gfx1011 gfx1012 gfx1013 gfx1030
    gfx1031 gfx1032 gfx1033 gfx1034 gfx1035 gfx1036 gfx1100 gfx1101 gfx1102 gfx1103 gfx1150 gfx1151 gfx1152 gfx1153
    gfx1200 gfx1201 gfx1250 gfx1251
    """.split()  # noqa: SIM905
)


def _cuts(use: Use, start: int, end: int, variants: list[Variant], values: list[str]) -> Iterator[Hit]:
    for variant, value in zip(variants, values, strict=True):
        result = strip(value, use.operator, use.argument)
        if value.startswith("gfx") and "-" in result:
            label = f" for {variant.label}" if variant.label else ""
            yield Hit(
                start=start,
                end=end,
                message=f"${{{use.name}{use.operator}{use.argument}}} leaves {result!r}{label}, not a GPU arch",
                level=Level.ERROR,
            )
            return


def check(file: LintFile) -> Iterable[Hit]:
    scopes = file.scopes
    portable = "syntax" in file.dockerfile.directives
    for stage in file.dockerfile.stages:
        variants = scopes.variants_of(stage)
        for instruction in stage.instructions:
            for pair in instruction.pairs:
                for use in uses(pair.value or ""):
                    if use.operator[:1] not in {"%", "#"}:
                        continue
                    known = [(v, scopes.value(stage, instruction.index, use.name, v) or "") for v in variants]
                    yield from _cuts(use, pair.start, pair.end, [v for v, _ in known], [x for _, x in known])
                    if not portable:
                        text = f"${{{use.name}{use.operator}...}}"
                        message = (
                            f"{text} in {instruction.keyword} needs Dockerfile frontend 1.7; Docker 20.10 refuses it"
                        )
                        yield Hit(start=pair.start, end=pair.end, message=message, level=Level.NOTE)
    for run, command in file.commands():
        variants = file.live_variants(run, command)
        for word in (*command.words, *(a.value for a in command.assignments)):
            for use in uses(word.value) if not (word.literal or word.single) else ():
                if use.operator[:1] == "%" and _ARCH_NAME.fullmatch(use.name):
                    values = [file.lookup(run, variant)(use.name) or "" for variant in variants]
                    yield from _cuts(use, word.start, word.end, variants, values)
    yield from _unknown(file)


def _known(name: str) -> bool:
    base = name.partition("-")[0]
    return base in _KNOWN or _NEWER.fullmatch(base) is not None


def _unknown(file: LintFile) -> Iterator[Hit]:
    for instruction in file.dockerfile.instructions:
        for pair in instruction.pairs if instruction.keyword in {"ARG", "ENV"} else ():
            if not _ARCH_NAME.fullmatch(pair.name):
                continue
            names = set(_GFX.findall(unquote(pair.value or "")))
            bad = sorted(name for name in names if not _GROUP.fullmatch(name) and not _known(name))
            if bad:
                message = f"LLVM does not know {', '.join(bad)}"
                yield Hit(start=pair.start, end=pair.end, message=message, level=Level.WARNING)


RULE: Final = Rule(
    id="ROC028",
    failure_class="F28",
    level=Level.ERROR,
    title="a GPU arch is parsed wrongly",
    why="`%-*` takes off the shortest suffix: gfx942-rocm720-dev becomes gfx942-rocm720, for which nothing is built.",
    fix="Use `%%-*`, or pass the arch in an argument of its own (which needs no expansion in ENV either).",
    case="aiter#4525",
    bad="ARG GPU_ARCH=gfx942-rocm720-dev\nFROM rocm/pytorch:latest\nARG GPU_ARCH\nRUN echo ${GPU_ARCH%-*}\n",
    good="ARG GPU_ARCH=gfx942-rocm720-dev\nFROM rocm/pytorch:latest\nARG GPU_ARCH\nRUN echo ${GPU_ARCH%%-*}\n",
    check=check,
)
