"""Simple commands: what they really run, and what they change for those after them."""

from __future__ import annotations

import posixpath
import re
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Final

from tree_sitter import Node

from rocmimg.lint.expand import Lookup, expand
from rocmimg.lint.shell.model import Assignment, Command, Word
from rocmimg.lint.syntax import SHELLS

_WRAPPERS: Final = frozenset(
    {"env", "sudo", "time", "nice", "ionice", "nohup", "exec", "command", "timeout", "stdbuf", "retry", "builtin"}
    | {"ccache", "xvfb-run", "fakeroot", "eatmydata", "busybox"}
)
_WRAPPER_VALUES: Final = {"sudo": {"-u", "-g", "--user", "--group"}, "nice": {"-n"}, "timeout": {"-s", "-k"}}


_OPTION_O: Final = re.compile(r"[-+]\w*[oO]$")


@dataclass(slots=True)
class State:
    """What holds at a point of a script."""

    cwd: str | None
    errexit: bool = False
    pipefail: bool = False
    variables: dict[str, str] = field(default_factory=dict)


def options(argv: tuple[str, ...]) -> tuple[bool, bool]:
    """errexit and pipefail as set by the options of a shell or of ``set``."""
    named = {word for before, word in pairwise(argv) if before.startswith("-") and before.endswith("o")}
    letters = {letter for word in argv if word.startswith("-") and not word.startswith("--") for letter in word[1:]}
    return "errexit" in named or "e" in letters, "pipefail" in named


def follow(
    head: Word | None, words: list[Word], nodes: list[Node], lookup: Lookup, assignments: list[Assignment]
) -> tuple[str, int, list[str]]:
    """The command behind env, sudo, time and the like: its path, the end of its name, what wraps it."""
    wrapped: list[str] = []
    while head is not None:
        path = expand(head.value, lookup) or head.value
        name = posixpath.basename(path)
        if name not in _WRAPPERS:
            return path, head.end, wrapped
        wrapped.append(name)
        while words and (words[0].value.startswith("-") or "=" in words[0].value or words[0].value[:1].isdigit()):
            word = words.pop(0)
            nodes.pop(0)
            if word.value in _WRAPPER_VALUES.get(name, ()) and words:
                words.pop(0)
                nodes.pop(0)
            if name == "env" and "=" in word.value and not word.value.startswith("-"):
                key, _, value = word.value.partition("=")
                inner = replace(word, value=value)
                assignments.append(Assignment(name=key, value=inner, start=word.start, end=word.end, exported=True))
        head = words.pop(0) if words else None
        if nodes and head is not None:
            nodes.pop(0)
    return (wrapped[-1] if wrapped else ""), 0, wrapped


def effects(command: Command, state: State) -> None:
    """What a command changes for those after it: options, directory."""
    values = command.values()
    if command.name == "set":
        for value in values:
            if value.startswith("+") and "e" in value:
                state.errexit = False
        errexit, pipefail = options(("set", *values))
        state.errexit |= errexit
        state.pipefail |= pipefail
    elif command.name in {"cd", "pushd"} and not command.pipeline:
        state.cwd = _join(state.cwd, values[0] if values else None)
    elif command.name == "popd":
        state.cwd = None


def inner_script(command: Command, nodes: list[Node]) -> tuple[Node, tuple[str, ...]] | None:
    """Scripts in the arguments: ``bash -c '...'``, ``xargs sh -c '...'``, ``eval '...'``."""
    values = command.values()
    names = [command.name, *values]
    for index, name in enumerate(names):
        if posixpath.basename(name) not in SHELLS or (index and command.name not in {"xargs", "find", "su", "chroot"}):
            continue
        shell = [name]
        for offset in range(index, len(values)):
            value = values[offset]
            if not value.startswith(("-", "+")) and not (shell[-1].endswith("o") and len(shell) > 1):
                break
            shell.append(value)
            if value.startswith("-") and not value.startswith("--") and value.endswith("c"):
                return (nodes[offset + 1], tuple(shell)) if offset + 1 < len(nodes) else None
        break
    return None


def reads_script(command: Command) -> tuple[str, ...]:
    """The shell, with its options, that takes a script from its input; nothing where the command is none such."""
    if command.name not in SHELLS:
        return ()
    values = command.values()
    return (command.name, *values) if not _operands(values) or "-s" in values else ()


def _operands(values: list[str]) -> list[str]:
    """The arguments of a shell without its options."""
    return [value for before, value in pairwise(("", *values)) if value[:1] not in "-+" and not _OPTION_O.match(before)]


def script_file(command: Command) -> str | None:
    """The file that a command runs as a script: ``bash x.sh``, ``. x.sh``, ``./x.sh``."""
    values = command.values()
    if command.name in {".", "source"}:
        return values[0] if values else None
    if command.name in SHELLS:
        if any(value.startswith("-") and not value.startswith("--") and value.endswith("c") for value in values):
            return None
        return next(iter(_operands(values)), None)
    return command.path if "/" in command.path else None


def _join(cwd: str | None, target: str | None) -> str | None:
    if target is None or target in {"-", "~"}:
        return None
    if target.startswith(("/", "$")):
        return posixpath.normpath(target) if target.startswith("/") else target
    return None if cwd is None else posixpath.normpath(posixpath.join(cwd, target))
