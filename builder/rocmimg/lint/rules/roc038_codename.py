"""F38: a package source for another release of the distribution."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from rocmimg.lint.context import LintFile, Run
from rocmimg.lint.expand import uses
from rocmimg.lint.model import Hit, Level, Rule
from rocmimg.lint.scope import Variant
from rocmimg.lint.shell import Command

_UBUNTU: Final = {"20.04": "focal", "22.04": "jammy", "24.04": "noble", "26.04": "resolute"}
_DEBIAN: Final = {"11": "bullseye", "12": "bookworm", "13": "trixie"}
_NAMES: Final = re.compile(rf"\b({'|'.join([*_UBUNTU.values(), *_DEBIAN.values()])})\b")
_UBUNTU_TAG: Final = re.compile(r"ubuntu[-_:]?(\d\d\.\d\d)")
_DEBIAN_TAG: Final = re.compile(r"(?:^|/)debian:(\d\d)")


def _codename(image: str) -> str | None:
    named = _NAMES.search(image)
    if named:
        return named[1]
    if match := _UBUNTU_TAG.search(image):
        return _UBUNTU.get(match[1])
    if match := _DEBIAN_TAG.search(image):
        return _DEBIAN.get(match[1])
    return None


def _sources(file: LintFile, run: Run, command: Command, variant: Variant) -> str:
    """Text that a command writes into a list of package sources."""
    targets = [redirect.target.value for redirect in command.redirects]
    if command.name == "tee":
        targets += command.values()
    if command.name != "add-apt-repository" and not any("/etc/apt/sources.list" in target for target in targets):
        return ""
    words = [file.resolve(run, word, variant) or "" for word in command.words]
    text = "\n".join([*words, command.input])
    return text if re.search(r"\bdeb\b|Suites:|ppa:", text) else ""


def check(file: LintFile) -> Iterable[Hit]:
    for run, command in file.commands():
        wrong: dict[tuple[str, str], list[str]] = {}
        for variant in file.live_variants(run, command):
            has = _codename(file.scopes.base_image(run.stage, variant) or "")
            wants = set(_NAMES.findall(_sources(file, run, command, variant))) if has else set()
            if has and wants and has not in wants:
                wrong.setdefault((", ".join(sorted(wants)), has), []).append(variant.label)
        for (wants_text, has), labels in wrong.items():
            names = [u.name for w in command.words for u in uses(w.value) if "CODENAME" in u.name]
            by = f" ({names[0]} by default)" if names else ""
            label = f" for {', '.join(labels)}" if any(labels) else ""
            yield Hit(
                start=command.start,
                end=command.end,
                message=f"packages of {wants_text}{by} on a base of {has}{label}",
            )


RULE: Final = Rule(
    id="ROC038",
    failure_class="F38",
    level=Level.WARNING,
    title="a package source is for another release of the distribution",
    why="Libraries of another release do not install, or install and break the ABI of what is there.",
    fix="Read the codename where it is used: . /etc/os-release; echo $VERSION_CODENAME.",
    case="sglang#35088",
    bad=(
        "FROM ubuntu:24.04\n"
        'RUN echo "deb https://repo.radeon.com/graphics/7.0/ubuntu jammy main" > /etc/apt/sources.list.d/amd.list\n'
    ),
    good=(
        "FROM ubuntu:24.04\n"
        'RUN echo "deb https://repo.radeon.com/graphics/7.0/ubuntu noble main" > /etc/apt/sources.list.d/amd.list\n'
    ),
    check=check,
)
