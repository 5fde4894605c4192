"""F05: AITER's setup.py replaces the installed Triton."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from rocmimg.lint.context import LintFile, Run
from rocmimg.lint.installs import pip_install
from rocmimg.lint.model import Evidence, Hit, Level, Rule
from rocmimg.lint.shell import Command
from rocmimg.lint.tools import git

_SWITCH: Final = "AITER_USE_SYSTEM_TRITON"
_COMMIT: Final = re.compile(r"[0-9a-f]{7,64}")
_VERSION: Final = re.compile(r"v?0\.1\.(\d+)")
# Read from AITER's tags: setup.py knows the switch, and replaces Triton, from v0.1.14 (May 2026) on.
_FIRST: Final = 14


def _builds(command: Command) -> bool:
    install = pip_install(command)
    if install is not None:
        return bool(install.projects)
    return command.name.startswith("python") and any(word.value.endswith("setup.py") for word in command.words[:1])


def _is_set(file: LintFile, run: Run, command: Command) -> bool:
    if any(a.name == _SWITCH for a in (*command.assignments, *run.script.assignments)):
        return True
    index = run.instruction.index
    return all(
        file.scopes.binding(run.stage, index, _SWITCH, variant) is not None
        for variant in file.live_variants(run, command)
    )


def check(file: LintFile) -> Iterable[Hit]:
    refs: dict[str, set[str]] = {}
    seen: set[int] = set()
    for run, command in file.commands():
        operation = git(command)
        if operation is not None and operation.ref is not None:
            folder = operation.folder(file.resolve(run, operation.url) if operation.url else None) or command.cwd or ""
            refs[folder] = {file.resolve(run, operation.ref, v) or "" for v in file.live_variants(run, command)}
        name = (command.cwd or "").rpartition("/")[2].lower()
        if name != "aiter" or run.instruction.index in seen or not _builds(command) or _is_set(file, run, command):
            continue
        seen.add(run.instruction.index)
        places = refs.get(command.cwd or "", {"main"})
        known = [_swaps(ref) for ref in places]
        # The age of a commit cannot be read from the text; `rocmimg test` compares Triton before and after.
        if all(swaps is False or _COMMIT.fullmatch(ref) for swaps, ref in zip(known, places, strict=True)):
            continue
        yield Hit(
            start=command.start,
            end=command.end,
            message=f"AITER from v0.1.{_FIRST} on replaces the installed Triton here: {_SWITCH} is not set",
            evidence=Evidence.PROJECT if True in known else Evidence.ASSUMED,
        )


def _swaps(ref: str) -> bool | None:
    """Whether AITER at a ref replaces Triton; None for a commit or a branch of unknown age."""
    version = _VERSION.match(ref)
    if version is not None:
        return int(version[1]) >= _FIRST
    return True if ref in {"main", "master", "origin/main"} else None


RULE: Final = Rule(
    id="ROC005",
    failure_class="F05",
    level=Level.WARNING,
    title="AITER's build replaces Triton",
    why="Its setup.py uninstalls the Triton that torch was built with and installs another, and says so nowhere.",
    fix="ENV AITER_USE_SYSTEM_TRITON=1 before the build; choose Triton in a step of its own.",
    case="aiter#2959, aiter#3086",
    bad=(
        "FROM rocm/pytorch:latest\nWORKDIR /src\nRUN git clone https://github.com/ROCm/aiter\n"
        "RUN cd aiter && GPU_ARCHS=gfx942 pip install --config-settings editable_mode=compat -e .\n"
    ),
    good=(
        "FROM rocm/pytorch:latest\nWORKDIR /src\nENV AITER_USE_SYSTEM_TRITON=1\n"
        "RUN git clone https://github.com/ROCm/aiter\n"
        "RUN cd aiter && GPU_ARCHS=gfx942 pip install --config-settings editable_mode=compat -e .\n"
    ),
    check=check,
)
