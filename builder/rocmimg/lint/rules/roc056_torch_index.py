"""F50: torch from an index that moves, or from one for another ROCm than the base has."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Final

from rocmimg.lint.context import LintFile, Run
from rocmimg.lint.installs import PipInstall, pip_install
from rocmimg.lint.model import Hit, Level, Rule
from rocmimg.lint.shell import Word

_VERSION: Final = re.compile(r"/(?:whl/(?:nightly/|test/)?)?rocm-?(?:rel-)?(\d+)\.(\d+)")
_NIGHTLY: Final = re.compile(r"nightl(?:y|ies)|/test/|/staging|/dev(?:releases)?[./-]", re.IGNORECASE)
_OPTIONS: Final = ("-i", "--index-url", "--default-index", "--index", "--extra-index-url", "-f", "--find-links")
_VARIABLES: Final = ("PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "PIP_FIND_LINKS", "UV_INDEX_URL", "UV_DEFAULT_INDEX")
_TORCH: Final = frozenset({"torch", "torchvision", "torchaudio", "triton", "pytorch-triton-rocm", "rocm", "vllm"})


def check(file: LintFile) -> Iterable[Hit]:
    for run, command in file.commands():
        pip = pip_install(command)
        if pip is not None and file.by_default(run, command) is not False:
            yield from _check(file, run, pip)


def _check(file: LintFile, run: Run, pip: PipInstall) -> Iterator[Hit]:
    words = pip.values(*_OPTIONS)
    indexes = [(word, file.resolve(run, word) or word.value) for word in words]
    lookup = file.lookup(run)
    own = {a.name: a.value.value for a in pip.command.assignments}
    values = [(name, own.get(name) or lookup(name)) for name in _VARIABLES]
    here = Word(value="", start=pip.command.start, end=pip.after_install, literal=True)
    indexes += [(here, value) for _, value in values if value]
    named = [need for need in pip.requirements if need.name in _TORCH]
    loose = [need for need in named if not any(mark in need.spec for mark in ("==", "@", "$"))]
    rocm = [(word, text) for word, text in indexes if "rocm" in text.lower() or "/gfx" in text]
    if not named or not rocm:
        return
    held = pip.has("-c", "--constraint", "--constraints", "--require-hashes", "--override")
    nightly = next(((word, text) for word, text in rocm if _NIGHTLY.search(text)), None)
    names = ", ".join(dict.fromkeys(need.name for need in loose))
    if loose and not held and nightly is not None:
        message = f"{names}: the build of the night from an index that drops old ones"
        yield Hit(start=loose[0].word.start, end=loose[-1].word.end, message=message)
    elif named and nightly is not None:
        message = "a nightly index drops old builds: this version will be gone"
        yield Hit(start=nightly[0].start, end=nightly[0].end, message=message, level=Level.NOTE)
    elif loose and not held:
        message = f"{names} without a version: the newest build of the index, another one tomorrow"
        yield Hit(start=loose[0].word.start, end=loose[-1].word.end, message=message, level=Level.NOTE)
    yield from _mismatch(file, run, rocm)


def _mismatch(file: LintFile, run: Run, rocm: list[tuple[Word, str]]) -> Iterator[Hit]:
    bases = {image.rocm_version for image in file.images(run.stage)}
    base = bases.pop() if len(bases) == 1 else None
    for word, text in rocm:
        match = _VERSION.search(text)
        if base is None or match is None or (int(match[1]), int(match[2])) == base:
            continue
        message = f"torch for ROCm {match[1]}.{match[2]} on a base image of ROCm {base[0]}.{base[1]}"
        level = Level.WARNING if int(match[1]) != base[0] else Level.NOTE
        yield Hit(start=word.start, end=word.end, message=message, level=level)


RULE: Final = Rule(
    id="ROC056",
    failure_class="F50",
    level=Level.WARNING,
    title="torch comes from a moving index, or from one for another ROCm",
    why="Nightly builds differ from day to day and vanish; two ROCm versions in one image load each other's libraries.",
    fix="Name the version with its local part, from the index of the base image's ROCm: torch==2.9.1+rocm7.2.0.",
    case="comfyui-toolboxes#24, aiter#5611, TheRock#7644",
    bad=(
        "FROM rocm/dev-ubuntu-24.04:7.2\n"
        "RUN pip install --pre torch --index-url https://download.pytorch.org/whl/nightly/rocm7.2\n"
    ),
    good=(
        "FROM rocm/dev-ubuntu-24.04:7.2\n"
        "RUN pip install torch==2.9.1+rocm7.2 --index-url https://download.pytorch.org/whl/rocm7.2\n"
    ),
    check=check,
)
