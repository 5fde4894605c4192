"""F39: a file with a version in its name, at an address that moves."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from rocmimg.lint.context import LintFile
from rocmimg.lint.model import Hit, Level, Rule

_MOVING: Final = re.compile(
    r"://\S*?/(latest|nightly|nightlies|current)/(?!download/)\S*?[^/\s]*\d+\.\d+(?:\.\d+)+[^/\s]*"
    r"\.(?:deb|rpm|run|tar\.\w+|tgz|zip|whl|sh|bin|exe|AppImage)$"
)


def check(file: LintFile) -> Iterable[Hit]:
    for run, command in file.commands("curl", "wget", "apt-get", "apt", "dnf", "yum", "pip", "pip3", "aria2c", "rpm"):
        for word in command.words:
            match = _MOVING.search(file.resolve(run, word) or word.value)
            if match is not None and "githubusercontent" not in match[0]:
                message = f"a file of one version below /{match[1]}/: it is gone when the next one comes"
                yield Hit(start=word.start, end=word.end, message=message)
    for stage in file.dockerfile.stages:
        for instruction in stage.instructions:
            if instruction.keyword == "ADD" and any(_MOVING.search(word) for word in instruction.words):
                message = "a file of one version at an address that moves: it is gone when the next one comes"
                yield Hit(start=instruction.start, end=instruction.end, message=message)


RULE: Final = Rule(
    id="ROC064",
    failure_class="F39",
    level=Level.WARNING,
    title="a versioned file is fetched from an address that moves",
    why="The address serves the newest release only: with the next one the build ends with 404.",
    fix="Use the address of the version: repo.radeon.com/amdgpu-install/6.2.4/ instead of /latest/.",
    case="issue 13",
    bad=(
        "FROM ubuntu:22.04\n"
        "RUN wget --tries=3 https://repo.radeon.com/amdgpu-install/latest/ubuntu/jammy/amdgpu-install_6.2.60204-1_all.deb\n"
    ),
    good=(
        "FROM ubuntu:22.04\n"
        "RUN wget --tries=3 https://repo.radeon.com/amdgpu-install/6.2.4/ubuntu/jammy/amdgpu-install_6.2.60204-1_all.deb\n"
    ),
    check=check,
)
