"""F18: a failing step goes unnoticed."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from rocmimg.lint.context import LintFile, Run
from rocmimg.lint.installs import pip_install
from rocmimg.lint.model import Hit, Level, Rule
from rocmimg.lint.shell import Command
from rocmimg.lint.syntax import SHELLS
from rocmimg.lint.tools import git, runs_input

_FETCH: Final = frozenset({"curl", "wget", "aria2c"})
_BUILD: Final = frozenset({"cmake", "make", "ninja", "hipcc", "cargo", "meson", "maturin", "bazel", "hipify-perl"})
_STATUS: Final = re.compile(rb"[\s;\\]*(?:\w+=[\"']?\$\?|(?:if )?\[+ *[\"']?\$\?)")
_GIT: Final = frozenset({"clone", "checkout", "submodule", "apply", "cherry-pick", "revert", "am"})
_OR: Final = re.compile(rb"\|\|[\s\\]*(true|:|echo|printf)(?![\w-])")
_HOW: Final = {
    "sequence": "without `set -e` its failure does not stop the script",
    "and-list": "`set -e` does not stop at a failure before the last `&&` of a list, and more commands follow",
    "pipe": "without `set -o pipefail` the pipe hides its failure",
}


# They end with an error when nothing or half a file comes in.
_NOTICE: Final = frozenset(
    {"gpg", "tar", "bsdtar", "gunzip", "gzip", "unxz", "xz", "zstd", "unzip", "sha256sum", "dpkg", "apt-key", "patch"}
    | {"zcat", "xzcat", "bunzip2", "cpio", "rpm", "sha512sum", "md5sum", "docker", "jar"}
)


def _noticed(run: Run, command: Command) -> bool:
    """The end of the pipe fails in its stead, or a member is a shell, of which ROC054 speaks."""
    if command.lost != "pipe":
        return False
    members = [other for other in run.script.commands if other.pipeline == command.pipeline]
    last = max(members, key=lambda other: other.position)
    return last.name in _NOTICE or any(runs_input(other) for other in members if other.position > command.position)


def _asked_for(file: LintFile, command: Command) -> bool:
    """The next words of the script ask for its status: ``rc=$?``."""
    source, end = file.locate(command.end)
    return _STATUS.match(source.data, end) is not None


def _hidden(file: LintFile, command: Command) -> str:
    source, end = file.locate(command.end)
    word = _OR.search(source.data, end)
    return f"`|| {word[1].decode() if word else 'true'}` hides its failure"


def _matters(command: Command) -> bool:
    """Fetches, installs and builds; not clean-up, probes and messages."""
    values = command.values()
    name = command.name
    if name in _FETCH or pip_install(command) is not None:
        return True
    if name in _BUILD:
        return not {"--version", "-v", "clean"} & set(values[:1])
    if name in {"apt-get", "apt", "dnf", "yum", "zypper"}:
        return "install" in values
    operation = git(command)
    if operation is not None:
        undone = {"--abort", "--quit", "--skip", "--check"} & set(values)
        return not undone and operation.verb in _GIT
    if name.startswith("python"):
        return bool(values) and values[0].endswith(".py")
    return name == "patch" or (_script(command) and command.lost != "true")


def _script(command: Command) -> bool:
    """A build script: ``./build.sh``, ``bash tools/make_wheel.sh``."""
    if command.name in SHELLS:
        return any(value.endswith(".sh") for value in command.values()[:2])
    return command.name.endswith(".sh") and "/" in command.path


def check(file: LintFile) -> Iterable[Hit]:
    found: dict[tuple[int, str], list[tuple[Run, Command]]] = {}
    for run, command in file.commands():
        if not command.lost or command.loop or not _matters(command):
            continue
        if not _noticed(run, command) and not _asked_for(file, command):
            found.setdefault((run.instruction.index, command.lost), []).append((run, command))
    for (_, how), places in found.items():
        first, *more = [command for _, command in places]
        message = f"{first.name}: {_HOW.get(how) or _hidden(file, first)}"
        yield Hit(start=first.start, end=first.end, message=message, more=tuple(other.start for other in more))


RULE: Final = Rule(
    id="ROC018",
    failure_class="F18",
    level=Level.WARNING,
    title="a failing fetch, install or build goes unnoticed",
    why="The image is published without the part that failed, and shows it only when it is used.",
    fix="Start with `set -eux -o pipefail`, one command a line; put `|| true` behind the one command that may fail.",
    case="aiter#2851",
    bad="FROM rocm/pytorch:latest\nRUN cmake -S . -B build; cmake --build build || true\n",
    good="FROM rocm/pytorch:latest\nRUN cmake -S . -B build && cmake --build build && (rm -rf /tmp/x || true)\n",
    check=check,
    replaces=("DL4006",),
)
