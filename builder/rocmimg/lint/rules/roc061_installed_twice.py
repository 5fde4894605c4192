"""F49: one distribution installed twice, and the later install takes the pin of the earlier one back."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from rocmimg.lint.context import LintFile, Run
from rocmimg.lint.installs import PipInstall, Requirement, pip_install
from rocmimg.lint.model import Hit, Level, Rule


@dataclass(frozen=True, slots=True)
class _Pin:
    version: str
    line: int


def _environment(file: LintFile, run: Run, pip: PipInstall) -> str:
    """What tells one Python environment from another: the pip, its target, PATH and what is activated."""
    places = [word.value for word in pip.values("-t", "--target", "--prefix", "--root", "--python", "-p")]
    active = [
        command.values()[0]
        for command in run.script.commands
        if command.name in {".", "source"} and command.words and command.start < pip.command.start
    ]
    lookup = file.lookup(run)
    outer = [lookup(name) or "" for name in ("VIRTUAL_ENV", "PATH", "CONDA_DEFAULT_ENV", "UV_PROJECT_ENVIRONMENT")]
    return "\0".join([pip.command.path, *places, *active[-1:], *outer])


def _exact(file: LintFile, run: Run, need: Requirement) -> str | None:
    spec = need.spec if "$" not in need.spec else (file.resolve(run, need.word) or "").partition(need.name)[2]
    if not spec.startswith("==") or "*" in spec or "," in spec or "$" in spec:
        return None
    return spec.removeprefix("==").lstrip("=").strip()


def check(file: LintFile) -> Iterable[Hit]:
    pins: dict[tuple[int, str, str], _Pin] = {}
    for run, command in file.commands():
        pip = pip_install(command)
        if pip is None or command.guards or command.loop or command.condition or pip.isolated:
            continue
        environment = _environment(file, run, pip)
        for need in pip.requirements:
            if not need.name:
                continue
            lineage = file.scopes.lineage(run.stage, file.scopes.variants_of(run.stage)[0])
            keys = [(stage.index, environment, need.name) for stage in lineage]
            before = next((pins[key] for key in keys if key in pins), None)
            allowed = need.specifiers
            if before is not None and allowed is not None and not allowed.contains(before.version, prereleases=True):
                message = f"{need.name}{need.spec} takes back {need.name}=={before.version} of line {before.line}"
                yield Hit(start=need.word.start, end=need.word.end, message=message)
            if (version := _exact(file, run, need)) is not None:
                pins[keys[0]] = _Pin(version, file.line(command.start))


RULE: Final = Rule(
    id="ROC061",
    failure_class="F49",
    level=Level.WARNING,
    title="a later install takes an earlier pin back",
    why="The image has the later version, and the layer of the earlier one stays: the pin is not what is in the image.",
    fix="Install it once; install the exact version last, or hold it in a constraints file.",
    case="unsloth#10820, ATOM#402",
    bad=(
        "FROM rocm/atom-dev:latest\nRUN pip install --no-deps transformers==5.2.0\n"
        "RUN pip install --no-deps 'transformers>=4.56,<5'\n"
    ),
    good=(
        "FROM rocm/atom-dev:latest\nRUN pip install --no-deps 'transformers>=4.56,<5'\n"
        "RUN pip install --no-deps transformers==5.2.0\n"
    ),
    check=check,
)
