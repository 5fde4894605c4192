"""Which Python a base image has, as far as its name says."""

from __future__ import annotations

import re
from typing import Final

OLDEST: Final = "3.10"
"""Of a base whose name does not say it: the oldest of upstream's bases (rocm/pytorch with Ubuntu 22.04)."""

_SAID: Final = re.compile(r"(?:^|[:_-])(?:python|py)-?(3\.\d{1,2})(?!\d)|(?:^|/)python:(3\.\d{1,2})(?!\d)")
_RELEASES: Final = (
    (re.compile(r"(?:^|[/:_-])ubuntu[:_-]?(\d\d\.\d\d)"), {"20.04": "3.8", "22.04": "3.10", "24.04": "3.12"}),
    (
        re.compile(r"(?:^|[/:_-])(focal|jammy|noble|bullseye|bookworm|trixie)(?![a-z])"),
        {"focal": "3.8", "jammy": "3.10", "noble": "3.12", "bullseye": "3.9", "bookworm": "3.11", "trixie": "3.13"},
    ),
)


def python_in_name(image: str) -> str:
    """The version (3.12) that an image's name says; empty where it says none."""
    said = _SAID.search(image.partition("@")[0])
    return (said[1] or said[2]) if said else ""


def python_of(image: str) -> str:
    """The version that its name says, or else the one of the distribution's release, or else the oldest."""
    if said := python_in_name(image):
        return said
    for pattern, versions in _RELEASES:
        if (found := pattern.search(image.partition("@")[0])) and found[1] in versions:
            return versions[found[1]]
    return OLDEST
