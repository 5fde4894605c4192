"""F05: AITER's setup.py replaces the installed Triton."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from rocmimg.lint.context import LintFile, Run
from rocmimg.lint.model import Hit, Level, Rule
from rocmimg.lint.shell import Command
from rocmimg.lint.tools import git, pip_install

_SWITCH: Final = "AITER_USE_SYSTEM_TRITON"
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
    old: set[str] = set()
    seen: set[int] = set()
    for run, command in file.commands():
        operation = git(command)
        if operation is not None and operation.verb == "checkout" and operation.ref is not None and command.cwd:
            refs = {file.resolve(run, operation.ref, v) or "" for v in file.live_variants(run, command)}
            versions = [_VERSION.match(ref) for ref in refs]
            if versions and all(match is not None and int(match[1]) < _FIRST for match in versions):
                old.add(command.cwd)
        name = (command.cwd or "").rpartition("/")[2].lower()
        if name != "aiter" or command.cwd in old or run.instruction.index in seen or not _builds(command):
            continue
        if not _is_set(file, run, command):
            seen.add(run.instruction.index)
            yield Hit(
                start=command.start,
                end=command.end,
                message=f"AITER from v0.1.14 on replaces the installed Triton here: {_SWITCH} is not set",
            )


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
