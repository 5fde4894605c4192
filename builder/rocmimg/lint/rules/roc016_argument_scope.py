"""F16: an ARG that is out of scope, never read, or never declared."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import takewhile
from typing import Final

from rocmimg.lint.context import LintFile
from rocmimg.lint.expand import Use, uses
from rocmimg.lint.installs import pip_install
from rocmimg.lint.model import Evidence, Hit, Level, Rule
from rocmimg.lint.shell import Command
from rocmimg.lint.syntax import Instruction, Stage

_PLATFORM: Final = frozenset(
    f"{side}{part}" for side in ("TARGET", "BUILD") for part in ("PLATFORM", "OS", "ARCH", "VARIANT")
)
_PIN: Final = re.compile(r"\w+_(COMMIT|BRANCH|REF|TAG|SHA|REPO)(_DEFAULT)?")
# Variables that base images for ROCm commonly set themselves.
_SET_BY_BASES: Final = re.compile(
    r"ROCM_\w+|PYTORCH_ROCM_ARCH|PATH|HOME|USER|PYTHON_VERSION|HIP_\w+|VIRTUAL_ENV|CONDA_\w+"
)
# What a build is stamped with: its own scripts read it from the environment.
_METADATA: Final = re.compile(r"(GIT|VCS|CI|BUILD|BUILDKITE|GITHUB|SOURCE|IMAGE|DOCKER|RELEASE|APP)_\w+")
# Read from the environment by common tools, or by the engine.
_READ_BY_TOOLS: Final = re.compile(
    r"(?i)(https?|ftp|no|all)_proxy|(PIP|UV|CONDA|POETRY|NPM|CARGO|RUSTUP|GO|CCACHE|SCCACHE|CMAKE|AWS|HF|APT|BUILDKIT)_\w+"
    r"|DEBIAN_FRONTEND|TZ|LANG|LC_\w+|PATH|HOME|MAX_JOBS|MAKEFLAGS|CFLAGS|CXXFLAGS|LDFLAGS|CC|CXX|SOURCE_DATE_EPOCH"
    r"|CACHE_?(BUST|DATE|VERSION|KEY)\w*|\w*BUST\w*"
)
# Commands that read no variables of a Dockerfile's own.
_CLOSED: Final = frozenset(
    """
    . : [ add-apt-repository adduser apk apt apt-get apt-key apt-mark awk basename cat cd chmod chown conda cp curl cut
    date dirname dnf dpkg echo export false file find git gpg grep groupadd head id install ldconfig ln locale-gen ls
    mkdir mktemp microdnf mv pip pip3 printf pushd popd pwd rm rmdir rpm sed set sha256sum sleep sort source stat tail
    tar tee test touch tr true umask uname uniq unset unzip update-alternatives useradd usermod wget which xargs yum
    zypper
    """.split()  # noqa: SIM905
)
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
                likely = _SET_BY_BASES.fullmatch(use.name) is not None and not certain
                evidence = Evidence.ASSUMED if likely else Evidence.TEXT
                level = Level.ERROR if certain else Level.WARNING
                yield Hit(start=start, end=end, message=message + unless, level=level, evidence=evidence)


def _dead(file: LintFile) -> Iterator[Hit]:
    """An ARG, or a pin in ENV, that nothing reads: its value changes nothing."""
    if not file.dockerfile.stages:
        return  # a part of a Dockerfile: what reads it stands in another
    count = _mentions(file)
    declared: dict[str, list[tuple[Instruction, int, int]]] = {}
    for instruction in file.dockerfile.instructions:
        # BuildKit takes a comment behind an ARG for more of them.
        for pair in takewhile(lambda pair: not pair.name.startswith("#"), instruction.pairs):
            if instruction.keyword == "ARG" or (instruction.keyword == "ENV" and _PIN.fullmatch(pair.name)):
                declared.setdefault(pair.name, []).append((instruction, pair.start, pair.end))
    for name, places in declared.items():
        if count.get(name, 0) > len(places) or _READ_BY_TOOLS.fullmatch(name) or name in _PLATFORM:
            continue
        if not _PIN.fullmatch(name) and not _built_with(file, places):
            continue
        reader = _possible_reader(file, places)
        if reader and (not _PIN.fullmatch(name) or _METADATA.fullmatch(name)):
            continue
        more = f" ({len(places)} places)" if len(places) > 1 else ""
        message = f"nothing reads {name}{more}: changing it changes nothing"
        if reader:
            message = f"no text reads {name}{more}; only {reader} may, from its environment"
        evidence = Evidence.ASSUMED if reader else Evidence.TEXT
        yield Hit(start=places[0][1], end=places[0][2], message=message, evidence=evidence)


def _mentions(file: LintFile) -> dict[str, int]:
    """How often each word stands in the Dockerfile and the scripts that it starts, comments left out."""
    data = bytearray(file.source.data)
    for comment in file.dockerfile.comments:
        data[comment.start : comment.end] = b" " * (comment.end - comment.start)
    _ = file.runs  # finds the scripts
    texts = [bytes(data), *(source.data for source in file.sources[1:])]
    count: dict[str, int] = {}
    for text in texts:
        for word in re.findall(r"\w+", text.decode(errors="replace")):
            count[word] = count.get(word, 0) + 1
    return count


def _built_with(file: LintFile, places: list[tuple[Instruction, int, int]]) -> bool:
    """Something is built or chosen behind the ARG, which could depend on it."""
    first = min(instruction.index for instruction, _, _ in places)
    return any(i.keyword in {"RUN", "FROM"} and i.index > first for i in file.dockerfile.instructions)


def _possible_reader(file: LintFile, places: list[tuple[Instruction, int, int]]) -> str:
    """A command behind the ARG that may read it from its environment; empty where none can."""
    for instruction, _, _ in places:
        for run, command in file.commands():
            lineage = file.scopes.lineage(run.stage, file.scopes.variants_of(run.stage)[0])
            owner = next((s for s in file.dockerfile.stages if instruction in s.instructions), None)
            if owner in lineage and run.instruction.index > instruction.index and _opaque(command):
                return command.name
        # ONBUILD and the entry point run elsewhere.
    return ""


def _opaque(command: Command) -> bool:
    pip = pip_install(command)
    if pip is not None:
        return bool(pip.projects) or any(not need.name and not need.wheel[0] for need in pip.requirements)
    if command.name in _CLOSED:
        return False
    return not (command.name.startswith("python") and [word.value for word in command.words[:2]] == ["-m", "venv"])


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
