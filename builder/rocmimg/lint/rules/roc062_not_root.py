"""F51: a package manager runs as a user that is not root."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from rocmimg.lint.context import LintFile, Run
from rocmimg.lint.expand import expand
from rocmimg.lint.model import Evidence, Hit, Level, Rule
from rocmimg.lint.shell import Command

_MANAGERS: Final = ("apt-get", "apt", "dnf", "yum", "microdnf", "zypper", "apk", "dpkg", "pacman", "tdnf")
_VERBS: Final = frozenset(
    {"install", "update", "upgrade", "dist-upgrade", "full-upgrade", "remove", "purge", "autoremove", "add", "in", "-i"}
    | {"-S", "-Syu", "-Sy", "groupinstall", "makecache", "reinstall"}
)
_ROOT: Final = re.compile(r"(?:root|0)(?::.*)?")
_BECOMES_ROOT: Final = frozenset({"sudo", "doas", "gosu", "su-exec"})


def _user(file: LintFile, run: Run) -> tuple[str, Evidence] | None:
    """The user of a RUN, where it is known not to be root."""
    variant = file.scopes.variants_of(run.stage)[0]
    for stage in file.scopes.lineage(run.stage, variant):
        named = [
            instruction
            for instruction in stage.instructions
            if instruction.keyword == "USER" and instruction.words and instruction.index < run.instruction.index
        ]
        if named:
            lookup = file.scopes.lookup(stage, named[-1].index, variant)
            user = expand(named[-1].words[0].strip("\"'"), lookup)
            return None if not user or _ROOT.fullmatch(user) else (user, Evidence.TEXT)
    images = file.images(run.stage)
    user = images[0].user if len(images) == 1 else None
    return (user, Evidence.PROJECT) if user else None


def _as_root(run: Run, command: Command) -> bool:
    """sudo before it, or around the script that it stands in."""
    if _BECOMES_ROOT & set(command.wrapped):
        return True
    return any(
        other.start <= command.start < other.end
        and (other is not command)
        and (_BECOMES_ROOT & set(other.wrapped) or other.name == "su")
        for other in run.script.commands
    )


def check(file: LintFile) -> Iterable[Hit]:
    seen: set[int] = set()
    for run, command in file.commands(*_MANAGERS):
        if run.instruction.index in seen or not _VERBS & set(command.values()) or _as_root(run, command):
            continue
        if {"-s", "--simulate", "--dry-run", "download"} & set(command.values()):
            continue
        found = _user(file, run)
        if found is not None:
            seen.add(run.instruction.index)
            user, evidence = found
            message = f"{command.name} runs as {user}, who may not change packages"
            yield Hit(start=command.start, end=command.end, message=message, evidence=evidence)


RULE: Final = Rule(
    id="ROC062",
    failure_class="F51",
    level=Level.ERROR,
    title="a package manager runs as a user that is not root",
    why="The step ends with `permission denied`: a base image can have a user of its own.",
    fix="USER root before the step, and back to the user after it.",
    case="amd_inference#2",
    bad="FROM rocm/rocm-terminal:6.4\nRUN apt-get update\n",
    good="FROM rocm/rocm-terminal:6.4\nUSER root\nRUN apt-get update\nUSER rocm-user\n",
    check=check,
)
