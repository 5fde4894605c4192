"""F37: a fetch that gives up at the first hiccup."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from rocmimg.lint.context import LintFile, Run
from rocmimg.lint.model import Edit, Hit, Level, Rule
from rocmimg.lint.shell import Command

_CURL: Final = " --retry 5 --retry-delay 3"
_CURL_ALL: Final = f"{_CURL} --retry-all-errors"
_WGET: Final = " --tries=5 --retry-connrefused"
_LOCAL: Final = ("http://localhost", "http://127.", "https://localhost")
_APT_RETRIES: Final = re.compile(r"Acquire::(?:https?::)?Retries")


def check(file: LintFile) -> Iterable[Hit]:
    for run, command in file.commands("curl", "wget"):
        values = command.values()
        remote = any("://" in value or value.startswith("$") for value in values)
        if not remote or command.loop or command.condition or _WRAPPERS & set(command.wrapped):
            continue
        if any(value.startswith(_LOCAL) for value in values):
            continue
        if command.name == "curl":
            if any(value.startswith("--retry") for value in values) or "curlrc" in file.source.data.decode():
                continue
            message, level = "curl without --retry fails the build on the first network error", None
        else:
            if any(value.startswith(("--tries", "-t", "--retry")) for value in values):
                continue
            message, level = "wget gives up at once on a refused connection", Level.NOTE
        text = _option(file, run, command)
        at = command.name_end
        edits = (Edit(start=at, end=at, text=text),) if text else ()
        yield Hit(start=command.start, end=command.end, message=message, level=level, edits=edits)
    yield from _apt(file)


_WRAPPERS: Final = frozenset({"retry", "busybox"})


def _option(file: LintFile, run: Run, command: Command) -> str:
    """The option that the base's tool knows: curl of Ubuntu 20.04 has no --retry-all-errors, busybox none of these."""
    images = file.images(run.stage)
    if not images or command.path != command.name or any(_SMALL.search(image.name.lower()) for image in images):
        return ""
    if command.name == "wget":
        return _WGET if all(image.codename for image in images) else ""
    return _CURL_ALL if all(image.old_curl is False for image in images) else _CURL


_SMALL: Final = re.compile(r"alpine|busybox|wolfi|distroless|openwrt|slim")


def _apt(file: LintFile) -> Iterable[Hit]:
    """apt of an old release does not retry by itself; one setting for all of them is enough."""
    copied = [i for i in file.dockerfile.instructions if i.keyword in {"COPY", "ADD"} and i.words]
    if _APT_RETRIES.search(file.source.data.decode()) or any("/etc/apt/apt.conf" in i.words[-1] for i in copied):
        return
    found = [
        command
        for run, command in file.commands("apt-get", "apt")
        if {"install", "update"} & set(command.values())
        and not command.loop
        and any(image.old_apt for image in file.images(run.stage))
    ]
    if found:
        first, *more = found
        yield Hit(
            start=first.start,
            end=first.name_end,
            message="apt of this release does not retry by itself: set Acquire::Retries",
            level=Level.NOTE,
            more=tuple(command.start for command in more),
        )


RULE: Final = Rule(
    id="ROC037",
    failure_class="F37",
    level=Level.WARNING,
    title="a fetch has no retry",
    why="An image takes an hour and dozens of fetches; one refused connection ends it.",
    fix="curl --retry 5 --retry-delay 3 --retry-all-errors; wget --tries=5 --retry-connrefused.",
    case="sglang#24407, sglang#35654, sglang#35764",
    bad="FROM rocm/pytorch:latest\nRUN curl -fsSLO https://example.com/tool-1.2.tar.gz\n",
    good=(
        "FROM rocm/pytorch:latest\n"
        "RUN curl --retry 5 --retry-delay 3 --retry-all-errors -fsSLO https://example.com/tool-1.2.tar.gz\n"
    ),
    check=check,
)
