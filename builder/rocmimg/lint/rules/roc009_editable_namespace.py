"""F09: an editable install that becomes a namespace package from the working directory."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from rocmimg.lint.context import LintFile, Run
from rocmimg.lint.installs import PipInstall, pip_install
from rocmimg.lint.layouts import shadowed
from rocmimg.lint.model import Edit, Evidence, Hit, Level, Rule
from rocmimg.lint.projects import EDITABLE
from rocmimg.lint.shell import Command, Word
from rocmimg.lint.tools import git

# Folders of a repository that nobody imports by their name.
_NO_PACKAGE: Final = frozenset(
    """
    api app apps backend build client code common core frontend lib libs package packages project py python repo
    server service services source sources src tests work workspace
    """.split()  # noqa: SIM905
)
# From this version on `setup.py develop` is `pip install -e`.
_DEVELOP_IS_PIP: Final = 80
_COMPAT: Final = " --config-settings editable_mode=compat"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Verdict:
    package: str
    evidence: Evidence
    level: Level = Level.ERROR


def _tree(file: LintFile, run: Run, cwd: str | None, word: Word) -> str | None:
    target = (file.resolve(run, word) or word.value).partition("[")[0].removeprefix("file://")
    if "://" in target or "$" in target:
        return None
    base = cwd
    if base is not None and "$" in base:
        base = file.resolve(run, Word(value=base, start=0, end=0, literal=False))
    if base is None and not target.startswith("/"):
        return None
    return posixpath.normpath(posixpath.join(base or "/", target))


def _workdirs(file: LintFile, run: Run) -> dict[str, bool]:
    """Where this image's users start: the last WORKDIR of each stage that holds the install; False where it is assumed.

    Without a WORKDIR in the file it is the base image's.
    """
    found: dict[str, bool] = {}
    end = len(file.dockerfile.instructions)
    for stage in file.dockerfile.stages:
        for variant in file.scopes.variants_of(stage):
            lineage = file.scopes.lineage(stage, variant)
            if run.stage in lineage:
                named = any(i.keyword == "WORKDIR" for s in lineage for i in s.instructions)
                found[file.scopes.workdir(stage, end, variant)] = named
    return found


def _verdict(file: LintFile, run: Run, tree: str, workdir: str, cloned: set[str]) -> _Verdict | None:
    """What is known of ``import <first folder>`` from a working directory above an editable install."""
    below = posixpath.relpath(tree, workdir).split("/")
    package = below[0]
    if package in {"..", "."} or not package.isidentifier() or package.lower() in _NO_PACKAGE:
        return None
    project = EDITABLE.get(package)
    inner = "/".join(below[1:])
    if project is not None:
        known = project.shadowed and inner == project.folder
        # `python -m package.module` still finds the modules through the hook; `import package` alone is empty.
        level = Level.WARNING if inner else Level.ERROR
        return _Verdict(package=package, evidence=Evidence.PROJECT, level=level) if known else None
    local = file.in_context(run, tree)
    if local is not None and (result := shadowed(local, package)) is not None:
        return _Verdict(package=package, evidence=Evidence.CONTEXT) if result else None
    # A clone of something unknown: its layout decides.
    return _Verdict(package=package, evidence=Evidence.ASSUMED) if not inner and tree in cloned else None


def _develop_is_pip(file: LintFile, before: int) -> bool:
    """The last install of setuptools before a place names a version of which `setup.py develop` is `pip install -e`."""
    result = False
    for _, command in file.commands():
        pip = pip_install(command)
        for need in pip.requirements if pip is not None and command.start < before else ():
            if need.name == "setuptools":
                floors = re.findall(r"(?:==|>=|~=|>)\s*(\d+)", need.spec)
                result = any(int(floor) >= _DEVELOP_IS_PIP for floor in floors)
    return result


def _old_pip(file: LintFile, run: Run, pip: PipInstall) -> bool:
    """pip here may not know --config-settings: the distribution's own one is older than 22.1."""
    if pip.uv:
        return False
    for _, command in file.commands():
        other = pip_install(command)
        if other is not None and command.start < pip.command.start and any(n.name == "pip" for n in other.requirements):
            return False
    images = file.images(run.stage)
    return not images or any(image.torch is not True and image.old_pip is not False for image in images)


def _targets(file: LintFile, command: Command, pip: PipInstall | None) -> list[Word]:
    if pip is not None:
        return [] if pip.compat else pip.editable
    values = command.values()
    develop = "develop" in values and _develop_is_pip(file, command.start)
    if develop and command.name.startswith("python") and values[:1] == ["setup.py"]:
        return [Word(value=".", start=command.start, end=command.end, literal=True)]
    return []


def check(file: LintFile) -> Iterable[Hit]:
    cloned: set[str] = set()
    for run, command in file.commands():
        operation = git(command)
        if operation is not None and operation.url is not None:
            cloned.add(operation.folder(file.resolve(run, operation.url)) or "")
        pip = pip_install(command)
        hit = next(
            (
                _hit(command, word, pip, verdict, workdir, named=named, old_pip=pip is None or _old_pip(file, run, pip))
                for word in _targets(file, command, pip)
                if (tree := _tree(file, run, command.cwd, word)) is not None
                for workdir, named in _workdirs(file, run).items()
                if (verdict := _verdict(file, run, tree, workdir, cloned)) is not None
            ),
            None,
        )
        if hit is not None:
            yield hit


def _hit(
    command: Command,
    word: Word,
    pip: PipInstall | None,
    verdict: _Verdict,
    workdir: str,
    *,
    named: bool,
    old_pip: bool,
) -> Hit:
    known = named and verdict.evidence is not Evidence.ASSUMED
    package = verdict.package
    found = f"from WORKDIR {workdir}, `import {package}` finds the directory {posixpath.join(workdir, package)}"
    message = f"{found} as an empty namespace package before the editable install's import hook"
    if not known:
        why = "the project's layout decides" if named else "the base image's WORKDIR decides"
        assertion = f"assert in a RUN that {package}.__file__ is not None"
        message = (
            f"{found}, not the installed package, if setuptools installs it by an import hook ({why}): {assertion}"
        )
    at = pip.after_install if pip is not None else 0
    return Hit(
        start=command.start,
        end=word.end,
        message=message,
        level=verdict.level,
        evidence=verdict.evidence if known else Evidence.ASSUMED,
        edits=(Edit(start=at, end=at, text=_COMPAT),) if known and pip is not None and not old_pip else (),
    )


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
