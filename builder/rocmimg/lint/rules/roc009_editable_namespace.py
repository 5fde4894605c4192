"""F09: an editable install that becomes a namespace package from the working directory."""

from __future__ import annotations

import posixpath
from collections.abc import Iterable
from typing import Final

from rocmimg.lint.context import LintFile, Run
from rocmimg.lint.model import Edit, Hit, Level, Rule
from rocmimg.lint.shell import Word
from rocmimg.lint.tools import pip_install

# Folders of a repository that nobody imports by their name.
_NO_PACKAGE: Final = frozenset(
    {"app", "build", "code", "lib", "package", "packages", "py", "python", "repo", "source", "sources", "src", "tests"}
)


def _checkout(file: LintFile, run: Run, cwd: str | None, word: Word) -> str | None:
    target = (file.resolve(run, word) or word.value).partition("[")[0].removeprefix("file://")
    if "://" in target or "$" in target:
        return None
    base = cwd
    if base is not None and "$" in base:
        base = file.resolve(run, Word(value=base, start=0, end=0, literal=False))
    if base is None and not target.startswith("/"):
        return None
    return posixpath.normpath(posixpath.join(base or "/", target))


def _workdirs(file: LintFile, run: Run) -> set[str]:
    """Where this image's users start: the last WORKDIR of each stage that holds the install."""
    found: set[str] = set()
    end = len(file.dockerfile.instructions)
    for stage in file.dockerfile.stages:
        for variant in file.scopes.variants_of(stage):
            if run.stage in file.scopes.lineage(stage, variant):
                found.add(file.scopes.workdir(stage, end, variant))
    return found


def check(file: LintFile) -> Iterable[Hit]:
    for run, command in file.commands():
        install = pip_install(command)
        if install is None or install.compat:
            continue
        for word in install.editable:
            checkout = _checkout(file, run, command.cwd, word)
            parent, name = posixpath.split(checkout or "")
            if not name.isidentifier() or name in _NO_PACKAGE or parent not in _workdirs(file, run):
                continue
            at = install.after_install
            yield Hit(
                start=command.start,
                end=word.end,
                message=(
                    f"from WORKDIR {parent}, `import {name}` finds the directory {checkout} as an empty namespace "
                    "package before the editable install's import hook"
                ),
                edits=(Edit(start=at, end=at, text=" --config-settings editable_mode=compat"),),
            )
            break


RULE: Final = Rule(
    id="ROC009",
    failure_class="F09",
    level=Level.ERROR,
    title="an editable install is shadowed from the working directory",
    why=(
        "setuptools 64 and later append an import hook to sys.meta_path; the path finder comes first and takes the "
        "checkout, seen from its parent, for a namespace package. The import succeeds and the module is empty."
    ),
    fix="Add --config-settings editable_mode=compat, and assert that the module's spec has an origin from WORKDIR.",
    case="sglang#22279, both v0.5.10 ROCm images; fixed by sglang#22363",
    bad=(
        "FROM rocm/pytorch:latest\nWORKDIR /sgl-workspace\nENV AITER_USE_SYSTEM_TRITON=1\n"
        "RUN cd aiter && GPU_ARCHS=gfx942 pip install -e .\n"
    ),
    good=(
        "FROM rocm/pytorch:latest\nWORKDIR /sgl-workspace\nENV AITER_USE_SYSTEM_TRITON=1\n"
        "RUN cd aiter && GPU_ARCHS=gfx942 pip install --config-settings editable_mode=compat -e .\n"
    ),
    check=check,
)
