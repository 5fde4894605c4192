"""Commands read as what they mean: git, and what runs its input."""

from __future__ import annotations

import posixpath
import re
from dataclasses import dataclass
from typing import Final

from rocmimg.lint.shell import Command, Word
from rocmimg.lint.syntax import SHELLS

_PYTHON: Final = re.compile(r"(python|pypy)([\d.]*|\$\{?\w+\}?)$")
FULL_SHA: Final = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Git:
    """A git command: its verb, its operands, and the ref it names."""

    command: Command
    verb: str
    operands: tuple[Word, ...]
    ref: Word | None
    """``-b``/``--branch``/``--revision`` of clone, the commit of checkout, switch, reset --hard or fetch."""

    workdir: str | None
    """Where it works: the shell's directory, or that of ``-C``."""

    def folder(self, url: str | None) -> str | None:
        """The checkout that it makes or works in; `url` is the resolved address of a clone."""
        if self.verb != "clone":
            return self.workdir
        name = self.directory.value if self.directory is not None else clone_folder(url or "")
        if name.startswith("/"):
            return posixpath.normpath(name)
        return posixpath.normpath(posixpath.join(self.workdir, name)) if self.workdir and name else None

    @property
    def url(self) -> Word | None:
        """What is cloned."""
        return self.operands[0] if self.verb == "clone" and self.operands else None

    @property
    def directory(self) -> Word | None:
        """The folder that a clone names."""
        return self.operands[1] if self.verb == "clone" and len(self.operands) > 1 else None


_GIT_VALUES: Final = frozenset(  # options with a value
    """
    -b --branch --revision --depth -C -c -j --jobs --origin -o --reference --shallow-since --filter
    --config --template --separate-git-dir --server-option --upload-pack -u
    """.split()  # noqa: SIM905
)


def git(command: Command) -> Git | None:
    """The git command that a command is, or None."""
    if command.name != "git":
        return None
    workdir, words = _global_options(command)
    verb = ""
    operands: list[Word] = []
    ref: Word | None = None
    index = 0
    while index < len(words):
        word = words[index]
        value = word.value
        index += 1
        name, equals, rest = value.partition("=")
        if value in _GIT_VALUES and not (verb == "checkout" and value in {"-c", "-b"}):
            following = words[index] if index < len(words) else None
            index += 1
            if value in {"-b", "--branch", "--revision"}:
                ref = following
        elif equals and name in {"--branch", "--revision"}:
            ref = Word(value=rest, start=word.start, end=word.end, literal=word.literal)
        elif value == "--":
            if verb == "checkout":
                operands.extend(words[index:])
                break
        elif value.startswith("-"):
            continue
        elif not verb:
            verb = value
        else:
            operands.append(word)
    if ref is None and verb in {"checkout", "switch", "reset"} and operands:
        ref = operands[0]
    if ref is None and verb == "fetch" and len(operands) > 1:
        ref = operands[1]
    return Git(command=command, verb=verb, operands=tuple(operands), ref=ref, workdir=workdir)


def _global_options(command: Command) -> tuple[str | None, list[Word]]:
    """Where git works, and its words behind ``-C`` and ``-c``."""
    workdir = command.cwd
    words = list(command.words)
    while len(words) > 1 and words[0].value in {"-C", "-c"}:
        option, value = words.pop(0).value, words.pop(0).value
        workdir = _below(workdir, value) if option == "-C" else workdir
    return workdir, words


def _below(workdir: str | None, path: str) -> str | None:
    if path.startswith("/"):
        return posixpath.normpath(path)
    return posixpath.normpath(posixpath.join(workdir, path)) if workdir and "$" not in path else None


def runs_input(command: Command) -> bool:
    """A shell or interpreter that takes its program from its input."""
    values = command.values()
    operands = [value for value in values if not value.startswith("-")]
    if command.name in SHELLS:
        return not operands or "-s" in values
    return (_PYTHON.match(command.name) is not None or command.name == "perl") and (not values or values[0] == "-")


def clone_folder(url: str) -> str:
    """The folder that git makes for a repository."""
    return posixpath.basename(url.rstrip("/")).removesuffix(".git")
