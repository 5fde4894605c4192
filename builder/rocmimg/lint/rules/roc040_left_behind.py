"""F40: caches, lists and toolchains left in the image."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from rocmimg.lint.context import LintFile, Run
from rocmimg.lint.installs import pip_install
from rocmimg.lint.model import Hit, Level, Rule
from rocmimg.lint.shell import Command

_WHAT: Final = {
    "lists": "apt's package lists stay in the layer",
    "cache": "pip's cache stays in the layer",
    "toolchain": "the Rust toolchain stays in the image",
    "copy": "every file below is copied into this layer, even where nothing changes but its mode or owner",
}


def _mounted(run: Run, *needles: str) -> bool:
    return any(
        "type=cache" in mount and any(needle in mount for needle in needles) for mount in run.instruction.flag("mount")
    )


def _removed(run: Run, command: Command, *needles: str) -> bool:
    """Removed in the same RUN, after it came; a quoted asterisk removes nothing."""
    for other in run.script.commands:
        if other.start <= command.start or other.name not in {"rm", "find", "rmdir", "unlink"}:
            continue
        for word in other.words:
            quoted = word.end - word.start > len(word.value) and "*" in word.value
            if any(needle in word.value for needle in needles) and not (quoted and other.name == "rm"):
                return True
    return False


def _pip(file: LintFile, run: Run, command: Command) -> bool:
    install = pip_install(command)
    if install is None or install.has("--no-cache-dir", "--no-cache", "--no-index"):
        return False
    if all(need.name == "" for need in install.requirements) and install.has("--no-deps"):
        return False
    if _mounted(run, ".cache", "/root") or _removed(run, command, ".cache", "pip"):
        return False
    if any(" ".join(c.values()).endswith(("cache purge", "cache clean")) for c in run.script.commands):
        return False
    assigned = {a.name for a in (*command.assignments, *run.script.assignments)}
    variant = file.scopes.variants_of(run.stage)[0]
    names = {"PIP_NO_CACHE_DIR", "UV_NO_CACHE", "UV_CACHE_DIR", "PIP_CACHE_DIR"}
    bound = any(file.scopes.binding(run.stage, run.instruction.index, name, variant) for name in names)
    return not (bound or assigned & names)


def _kind(file: LintFile, run: Run, command: Command) -> str | None:
    values = command.values()
    if command.name in {"apt-get", "apt"} and "install" in values:
        kept = not _mounted(run, "/var/lib/apt") and not _removed(run, command, "/var/lib/apt", "/var/lib/*")
        return "lists" if kept else None
    if any("sh.rustup.rs" in value for value in values):
        return None if _removed(run, command, ".cargo", ".rustup", "/rust") else "toolchain"
    if command.name in {"chmod", "chown", "chgrp"} and _recursive(values):
        places = [file.resolve(run, word) or word.value for word in command.words]
        return "copy" if any(_LARGE.fullmatch(place) for place in places) else None
    return "cache" if _pip(file, run, command) else None


def _recursive(values: list[str]) -> bool:
    return any(re.fullmatch(r"-\w*R\w*|--recursive", value) for value in values)


# Trees of a base image that hold gigabytes.
_LARGE: Final = re.compile(
    r"/(?:opt/(?:venv|conda|rocm[\w.-]*|miniconda\w*|python\w*)|usr|usr/local|opt|venv)?/?\*?"
    r"|/opt/\S*site-packages/?"
)


def check(file: LintFile) -> Iterable[Hit]:
    if file.final is None:
        return
    kept = {stage.index for variant in file.scopes.variants for stage in file.scopes.lineage(file.final, variant)}
    found: dict[str, list[Command]] = {}
    for run, command in file.commands():
        if run.stage.index in kept and (kind := _kind(file, run, command)):
            found.setdefault(kind, []).append(command)
    for kind, commands in found.items():
        first, *more = commands
        yield Hit(start=first.start, end=first.end, message=_WHAT[kind], more=tuple(other.start for other in more))


RULE: Final = Rule(
    id="ROC040",
    failure_class="F40",
    level=Level.NOTE,
    title="what only the build needs stays in the image",
    why="What a layer holds is pulled by every node, even when a later layer deletes it. One ROCm image was 75 GB.",
    fix="Remove it in the same RUN, mount a cache (RUN --mount=type=cache), or build in a stage of its own.",
    case="sglang#22037",
    bad="FROM ubuntu:24.04\nRUN apt-get update && apt-get install -y hipcc\n",
    good="FROM ubuntu:24.04\nRUN apt-get update && apt-get install -y hipcc && rm -rf /var/lib/apt/lists/*\n",
    check=check,
    replaces=("DL3009", "DL3042"),
)
