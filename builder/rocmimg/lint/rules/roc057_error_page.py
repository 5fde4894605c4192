"""F37: a download that saves the server's error page."""

from __future__ import annotations

import re
from collections.abc import Iterable
from itertools import pairwise
from typing import Final

from rocmimg.lint.context import LintFile, Run
from rocmimg.lint.model import Edit, Hit, Level, Rule
from rocmimg.lint.shell import Command

_FAIL: Final = re.compile(r"--fail(-with-body|-early)?$|-[a-zA-Z#0-9]*f[a-zA-Z#0-9]*$")
_SAVE: Final = re.compile(r"-[a-zA-Z#]*[oO]\S*$|--output(=.*)?$|--remote-name(-all)?$")
# They end with an error when they get a page instead of an archive, a key or a package.
_NOTICE: Final = frozenset(
    """
    7z ar apt apt-get apt-key bunzip2 bsdtar cpio dnf docker dpkg gpg gunzip gzip jq md5sum rpm sha1sum sha256sum
    sha512sum shasum tar unxz unzip xz yum zcat zstd zypper
    """.split()  # noqa: SIM905
)


def _saves(command: Command) -> bool:
    values = command.values()
    if any(_SAVE.match(value) and not value.endswith("o-") for value in values):
        return not any(pair in {("-o", "-"), ("--output", "-")} for pair in pairwise(values))
    return any(
        redirect.operator in {">", ">>"} and redirect.target.value != "/dev/null" for redirect in command.redirects
    )


def _noticed(run: Run, command: Command) -> bool:
    """A later command of the RUN ends with an error on a page instead of an archive, a package or the right sum."""
    return any(
        other.start > command.start and (other.name in _NOTICE or other.name.startswith("pip"))
        for other in run.script.commands
    )


def check(file: LintFile) -> Iterable[Hit]:
    for run, command in file.commands("curl"):
        values = command.values()
        if any(_FAIL.match(value) for value in values) or "-w" in values or "--write-out" in values:
            continue
        remote = any("://" in value and not value.startswith("file:") for value in values)
        if not remote or not _saves(command) or command.condition or _noticed(run, command):
            continue
        at = command.name_end
        yield Hit(
            start=command.start,
            end=command.end,
            message="curl without --fail saves the server's error page and ends with 0",
            edits=(Edit(start=at, end=at, text=" --fail"),),
        )


RULE: Final = Rule(
    id="ROC057",
    failure_class="F37",
    level=Level.WARNING,
    title="a download saves the server's error page",
    why="A page of 404 or 503 becomes the file; the build goes on, and the image is wrong.",
    fix="curl --fail (or -f).",
    case="F37 of the catalogue",
    bad="FROM ubuntu:24.04\nRUN curl --retry 5 -o /model.bin https://example.com/model.bin\n",
    good="FROM ubuntu:24.04\nRUN curl --fail --retry 5 -o /model.bin https://example.com/model.bin\n",
    check=check,
)
