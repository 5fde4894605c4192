"""F16: an ARG that is out of scope, never read, or never declared."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Final

from rocmimg.lint.context import LintFile
from rocmimg.lint.expand import Use, uses
from rocmimg.lint.model import Hit, Level, Rule
from rocmimg.lint.syntax import Instruction, Stage

_PLATFORM: Final = frozenset(
    f"{side}{part}" for side in ("TARGET", "BUILD") for part in ("PLATFORM", "OS", "ARCH", "VARIANT")
)
_PIN: Final = re.compile(r"\w+_(COMMIT|BRANCH|REF|TAG|SHA|REPO)(_DEFAULT)?")
_PREDEFINED: Final = re.compile(r"(?i)(https?|ftp|no|all)_proxy|BUILDKIT_\w+|SOURCE_DATE_EPOCH")


def _texts(file: LintFile, stage: Stage) -> Iterator[tuple[Instruction, str, int, int]]:
    """Texts with variables: instruction, text, and the place to report."""
    for instruction in stage.instructions:
        for pair in instruction.pairs:
            yield instruction, pair.value or "", pair.start, pair.end
        if instruction.keyword in {"COPY", "ADD", "WORKDIR", "USER"}:
            yield instruction, " ".join(instruction.words), instruction.start, instruction.end
    for run in file.runs:
        if run.stage is not stage:
            continue
        assigned = {a.name for a in run.script.assignments}
        text, _ = run.script.texts[0]
        for use in uses(text.data.decode(errors="replace")):
            if use.name not in assigned:
                start = len(text.data.decode(errors="replace")[: use.start].encode())
                at = text.origin(min(start, max(len(text.data) - 1, 0)))
                yield run.instruction, f"${{{use.name}{use.operator}{use.argument}}}", at, at + use.end - use.start


def _out_of_scope(file: LintFile) -> Iterator[Hit]:
    scopes = file.scopes
    names = set(scopes.globals) | _PLATFORM
    for stage in file.dockerfile.stages:
        seen: set[str] = set()
        for instruction, text, start, end in _texts(file, stage):
            found: list[Use] = [use for use in uses(text) if use.name in names and use.name not in seen]
            for use in found:
                variants = scopes.variants_of(stage)
                if use.operator or any(scopes.binding(stage, instruction.index, use.name, v) for v in variants):
                    continue
                seen.add(use.name)
                images = {scopes.base_image(stage, variant) for variant in variants}
                # A base image can set a variable of that name: only an empty base is certain.
                certain = images <= {"scratch"}
                message = f"{use.name} is declared before FROM only: it is empty in this stage"
                if use.name in _PLATFORM and use.name not in scopes.globals:
                    message = f"{use.name} needs `ARG {use.name}` in this stage: it is empty"
                unless = "" if certain else ", unless the base image sets it"
                level = Level.ERROR if certain else Level.WARNING
                yield Hit(start=start, end=end, message=message + unless, level=level)


def _dead(file: LintFile) -> Iterator[Hit]:
    """A pin that nothing reads: its value changes nothing."""
    comments = sorted((c.start, c.end) for c in file.dockerfile.comments)
    data = bytearray(file.source.data)
    for start, end in comments:
        data[start:end] = b" " * (end - start)
    words = re.findall(r"\w+", data.decode(errors="replace"))
    count: dict[str, int] = {}
    for word in words:
        count[word] = count.get(word, 0) + 1
    declared: dict[str, list[tuple[int, int]]] = {}
    for instruction in file.dockerfile.instructions:
        for pair in instruction.pairs if instruction.keyword in {"ARG", "ENV"} else ():
            if _PIN.fullmatch(pair.name):
                declared.setdefault(pair.name, []).append((pair.start, pair.end))
    for name, places in declared.items():
        if count.get(name, 0) <= len(places):
            more = f" ({len(places)} places)" if len(places) > 1 else ""
            message = f"nothing reads {name}{more}: changing it changes nothing"
            yield Hit(start=places[0][0], end=places[0][1], message=message)


def check(file: LintFile) -> Iterable[Hit]:
    yield from _out_of_scope(file)
    yield from _dead(file)
    declared = {pair.name for i in file.dockerfile.instructions if i.keyword == "ARG" for pair in i.pairs}
    for name in file.arguments:
        if name not in declared and not _PREDEFINED.fullmatch(name) and name not in _PLATFORM:
            message = f"--build-arg {name} is passed, but no ARG of this file declares it: the value is dropped"
            yield Hit(start=0, end=0, message=message, level=Level.ERROR)


RULE: Final = Rule(
    id="ROC016",
    failure_class="F16",
    level=Level.WARNING,
    title="a build argument does not arrive",
    why="An ARG before FROM ends at FROM. Out of scope it is empty, and the wrong thing is built without a message.",
    fix="Repeat `ARG NAME` in the stage that uses it; remove what nothing reads. Give --build-arg what CI passes.",
    case="sglang#21949, sglang#35088",
    bad="ARG GPU_ARCH=gfx942\nFROM rocm/pytorch:latest\nRUN echo building for $GPU_ARCH\n",
    good="ARG GPU_ARCH=gfx942\nFROM rocm/pytorch:latest\nARG GPU_ARCH\nRUN echo building for $GPU_ARCH\n",
    check=check,
)
