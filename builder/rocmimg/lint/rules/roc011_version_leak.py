"""F11: a version override of one project leaks into another."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from rocmimg.lint.context import LintFile, Run
from rocmimg.lint.installs import pip_install
from rocmimg.lint.model import Evidence, Hit, Level, Rule
from rocmimg.lint.projects import SCM_USERS
from rocmimg.lint.scope import Binding
from rocmimg.lint.shell import Command

_NAME: Final = "SETUPTOOLS_SCM_PRETEND_VERSION"


def _project(command: Command) -> str | None:
    """The source tree that a command stamps with a version."""
    install = pip_install(command)
    if install is not None:
        if not install.projects:
            return None
        return f"{command.cwd}/{install.projects[0].value.partition('[')[0]}".replace("/./", "/").removesuffix("/.")
    if command.name.startswith("python") and command.words[:1] and command.words[0].value == "setup.py":
        return command.cwd or ""
    return None


def check(file: LintFile) -> Iterable[Hit]:
    users: dict[int, tuple[Binding, list[tuple[str, int]]]] = {}
    for run, command in file.commands():
        project = _project(command)
        if project is None:
            continue
        binding = _binding(file, run, command)
        if binding is None:
            continue
        entry = users.setdefault(binding.pair.start, (binding, []))
        if all(project != other for other, _ in entry[1]):
            entry[1].append((project, file.source.line(command.start)))
    for binding, projects in users.values():
        if len(projects) > 1:
            names = [project.rpartition("/")[2] or project for project, _ in projects]
            listed = ", ".join(f"{name} (line {line})" for name, (_, line) in zip(names, projects, strict=True))
            known = sum(any(part in SCM_USERS for part in project.split("/")) for project, _ in projects)
            yield Hit(
                start=binding.pair.start,
                end=binding.pair.end,
                message=f"{_NAME} is in force while {len(projects)} projects are built: {listed}",
                evidence=Evidence.PROJECT if known > 1 else Evidence.ASSUMED,
            )


def _binding(file: LintFile, run: Run, command: Command) -> Binding | None:
    variant = file.scopes.variants_of(run.stage)[0]
    if any(a.name == _NAME for a in command.assignments):
        return None
    binding = file.scopes.binding(run.stage, run.instruction.index, _NAME, variant)
    if binding is None or (not binding.is_arg and (binding.pair.value or "").strip("\"'") == ""):
        return None
    return binding


RULE: Final = Rule(
    id="ROC011",
    failure_class="F11",
    level=Level.WARNING,
    title="one project's version override is in force while another is built",
    why="setuptools_scm stamps whatever it builds with it: AITER gets SGLang's version, and dependents refuse it.",
    fix="Set SETUPTOOLS_SCM_PRETEND_VERSION_FOR_<PROJECT>, or the plain name on the one command only.",
    case="sglang#16367, sglang#17950, sglang#18076",
    bad=(
        "FROM rocm/pytorch:latest\nARG VERSION=1.2\nENV SETUPTOOLS_SCM_PRETEND_VERSION=$VERSION\nWORKDIR /src\n"
        "RUN cd aiter && pip install --no-deps .\nRUN cd mori && pip install --no-deps .\n"
    ),
    good=(
        "FROM rocm/pytorch:latest\nARG VERSION=1.2\nWORKDIR /src\n"
        "RUN cd aiter && SETUPTOOLS_SCM_PRETEND_VERSION=$VERSION pip install --no-deps .\n"
        "RUN cd mori && pip install --no-deps .\n"
    ),
    check=check,
)
