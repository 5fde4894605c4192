"""Which Python and which release of a distribution a base image has, as far as its name says."""

from __future__ import annotations

import re
from typing import Final

OLDEST: Final = "3.10"
"""Of a base whose name does not say it: the oldest of upstream's bases (rocm/pytorch with Ubuntu 22.04)."""

_SAID: Final = re.compile(r"(?:^|[:_-])(?:python|py)-?(3\.\d{1,2})(?!\d)|(?:^|/)python:(3\.\d{1,2})(?!\d)")
_UBUNTU: Final = re.compile(r"(?:^|[/:_-])ubuntu[:_-]?(\d\d\.\d\d)")
_UBUNTUS: Final = {"20.04": "focal", "22.04": "jammy", "24.04": "noble"}
_CODENAME: Final = re.compile(r"(?:^|[/:_-])(focal|jammy|noble|bullseye|bookworm|trixie)(?![a-z])")
_PYTHONS: Final = {
    "focal": "3.8", "jammy": "3.10", "noble": "3.12", "bullseye": "3.9", "bookworm": "3.11", "trixie": "3.13",
}  # fmt: skip


def python_in_name(image: str) -> str:
    """The version (3.12) that an image's name says; empty where it says none."""
    said = _SAID.search(image.partition("@")[0])
    return (said[1] or said[2]) if said else ""


def python_of(image: str) -> str:
    """The version that its name says, or else the one of the distribution's release, or else the oldest."""
    if said := python_in_name(image):
        return said
    return _PYTHONS.get(release_of(image), OLDEST)


def release_of(image: str) -> str:
    """The release (noble, trixie) of Ubuntu or Debian that an image's name says; empty where it says none."""
    name = image.partition("@")[0]
    if (found := _UBUNTU.search(name)) and found[1] in _UBUNTUS:
        return _UBUNTUS[found[1]]
    said = _CODENAME.search(name)
    return said[1] if said else ""
