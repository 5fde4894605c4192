"""What is known of a base image from its name: its distribution, its torch, its user, its ROCm."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

_UBUNTU: Final = {"18.04": "bionic", "20.04": "focal", "22.04": "jammy", "24.04": "noble", "26.04": "resolute"}
_DEBIAN: Final = {"10": "buster", "11": "bullseye", "12": "bookworm", "13": "trixie"}
CODENAMES: Final = re.compile(rf"(?<![A-Za-z])({'|'.join([*_UBUNTU.values(), *_DEBIAN.values()])})(?![A-Za-z])")
UBUNTU: Final = frozenset(_UBUNTU.values())
# apt retries by itself from 2.3.2 on.
_OLD_APT: Final = frozenset({"bionic", "focal", "buster", "bullseye"})
# pip of these is older than 22.1 and refuses --config-settings; curl older than 7.71 refuses --retry-all-errors.
_OLD_PIP: Final = frozenset({"bionic", "focal", "jammy", "buster", "bullseye"})
_OLD_CURL: Final = frozenset({"bionic", "focal", "buster"})
_UBUNTU_TAG: Final = re.compile(r"ubuntu[-_:]?(\d\d\.\d\d)")
_DEBIAN_TAG: Final = re.compile(r"(?:^|/)debian:(\d\d)")
_TORCH: Final = re.compile(
    r"torch|vllm|sgl|(^|/)rocm/(atom|primus|megatron|tgi|jax-training)|text-generation-inference"
)
_PLAIN: Final = re.compile(
    r"(?:^|/)(?:(?:ubuntu|debian|fedora|centos|almalinux|rockylinux|alpine|archlinux|python|scratch|node|golang|rust)"
    r"(?:[-:@/].*)?|(?:ubi\d|opensuse|fedora-toolbox|manylinux).*"
    r"|rocm/(?:dev-|rocm-terminal|rocm-build|hip-|migraphx|composable_kernel).*|nvidia/cuda.*)$"
)
_ROCM: Final = re.compile(r"rocm|(^|/)amd|therock|hip")
_ROCM_VERSION: Final = re.compile(r"rocm[-_]?v?(\d+)\.?(\d+)(?:\.\d+)?|rocm/dev-[\w.-]+:v?(\d+)\.(\d+)")
_USERS: Final = {"rocm/rocm-terminal": "rocm-user", "codercom/code-server": "coder", "jenkins/jenkins": "jenkins"}
_JUPYTER: Final = re.compile(r"(?:quay\.io/)?jupyter/[\w-]+")


@dataclass(frozen=True, slots=True)
class Image:
    """A base image, by its name."""

    name: str

    @property
    def codename(self) -> str | None:
        """The release of its distribution."""
        if match := CODENAMES.search(self.name):
            return match[1]
        if match := _UBUNTU_TAG.search(self.name):
            return _UBUNTU.get(match[1])
        if match := _DEBIAN_TAG.search(self.name):
            return _DEBIAN.get(match[1])
        return None

    @property
    def torch(self) -> bool | None:
        """Whether torch is in it; None where the name does not tell."""
        lower = self.name.lower()
        if _TORCH.search(lower):
            return True
        return False if _PLAIN.search(lower) else None

    @property
    def rocm(self) -> bool:
        """It is an image for ROCm by its name."""
        return _ROCM.search(self.name.lower()) is not None

    @property
    def rocm_version(self) -> tuple[int, int] | None:
        """Major and minor of its ROCm."""
        match = _ROCM_VERSION.search(self.name.lower())
        if match is None:
            return None
        major, minor = (match[1], match[2]) if match[1] else (match[3], match[4])
        return int(major), int(minor)

    @property
    def user(self) -> str | None:
        """Its user where that is known not to be root."""
        name = self.name.partition("@")[0].partition(":")[0].removeprefix("docker.io/")
        return "jovyan" if _JUPYTER.fullmatch(name) else _USERS.get(name)

    @property
    def old_apt(self) -> bool:
        """Its apt does not retry by itself."""
        return self.codename in _OLD_APT

    @property
    def old_curl(self) -> bool | None:
        """Its curl does not know --retry-all-errors; None where the name does not tell."""
        return self.codename in _OLD_CURL if self.codename else None

    @property
    def old_pip(self) -> bool | None:
        """The distribution's pip does not know --config-settings; None where the name does not tell."""
        return self.codename in _OLD_PIP if self.codename else None
