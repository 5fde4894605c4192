"""A kernel driver in an image."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from rocmimg.lint.context import LintFile
from rocmimg.lint.model import Evidence, Hit, Level, Rule

_PACKAGE: Final = re.compile(r"(amdgpu-dkms|amdgpu-dkms-firmware|rock-dkms|rock-dkms-firmware|amdgpu-pro)(?:[=:].*)?")
_MANAGERS: Final = ("apt-get", "apt", "dnf", "yum", "microdnf", "zypper", "tdnf")


def check(file: LintFile) -> Iterable[Hit]:
    for _, command in file.commands(*_MANAGERS):
        if not {"install", "in"} & set(command.values()):
            continue
        for word in command.words:
            if _PACKAGE.fullmatch(word.value):
                message = f"{word.value} builds a kernel module: a container uses the kernel of its host"
                yield Hit(start=word.start, end=word.end, message=message)
    for _, command in file.commands("amdgpu-install"):
        values = command.values()
        usecase = " ".join(values)
        if "--no-dkms" in values or re.search(r"--list-usecase|--uninstall|--help|--version", usecase):
            continue
        if not values or re.search(r"usecase[= ]\S*\bdkms\b", usecase):
            message = "amdgpu-install builds the kernel module here: a container uses the kernel of its host"
            yield Hit(start=command.start, end=command.end, message=message)
        elif "--usecase" in usecase:
            message = "amdgpu-install without --no-dkms may bring the kernel module with it"
            yield Hit(start=command.start, end=command.end, message=message, evidence=Evidence.ASSUMED)


RULE: Final = Rule(
    id="ROC058",
    failure_class="F40",
    level=Level.WARNING,
    title="a kernel driver is installed in an image",
    why="A container uses its host's kernel: the module is never loaded, needs headers, or fails to build.",
    fix="Leave amdgpu-dkms to the host; amdgpu-install --usecase=rocm --no-dkms.",
    case="AMD's installation notes for containers",
    bad="FROM ubuntu:24.04\nRUN apt-get update && apt-get install -y amdgpu-dkms rocm && rm -rf /var/lib/apt/lists/*\n",
    good="FROM ubuntu:24.04\nRUN apt-get update && apt-get install -y rocm && rm -rf /var/lib/apt/lists/*\n",
    check=check,
)
