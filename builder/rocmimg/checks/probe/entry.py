"""What ENTRYPOINT and CMD start: the chain of scripts, interpreters and programs, as the image's user meets it."""

from __future__ import annotations

import posixpath
import re
import shlex
import stat
from itertools import takewhile
from typing import Any, Mapping, NamedTuple, Sequence

from .loader import Loader
from .tree import Denied, Tree

_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_SHELLS = ("sh", "bash", "dash", "ash", "zsh")
_WRAPPERS = {"tini": "--", "dumb-init": "--", "docker-init": "--", "catatonit": "--"}
"""Programs that start the rest of their arguments: name -> what ends their own options."""
_PLAIN = re.compile(r"[A-Za-z0-9_./+:@%-]+")
_SHELLS_OWN = {
    "alias", "bg", "break", "case", "cd", "command", "continue", "declare", "do", "done", "echo", "elif",
    "else", "esac", "eval", "exec", "exit", "export", "false", "fg", "fi", "for", "function", "getopts",
    "hash", "if", "in", "jobs", "let", "local", "printf", "pwd", "read", "readonly", "return", "select",
    "set", "shift", "shopt", "source", "test", "then", "time", "times", "trap", "true", "type", "typeset",
    "ulimit", "umask", "unalias", "unset", "until", "wait", "while", ".", ":",
}  # fmt: skip
_PYTHON = re.compile(r"(?:python|pypy)[0-9.]*")
_IMPORT = re.compile(r"^from ([\w.]+) import (\w+)", re.MULTILINE)
_TRAMPOLINE = re.compile(r"^'''exec' \"?([^\"' ]+)\"? ", re.MULTILINE)
_GOES_ON = re.compile(
    r"^\s*exec\s+(?:(?:\S*/)?(?:gosu|su-exec|setpriv|runuser|sudo|env|nice|ionice|numactl|stdbuf|taskset|tini|dumb-init)"
    r"\s(?:[^\n]*\s)?)?\"?\$(?:@|\{@\})",
    re.MULTILINE,
)
"""A script that becomes what it was given, itself or by a program that does."""
_LOOKS_ELSEWHERE = re.compile(r"\bPATH=|^\s*(?:source|\.)\s|\binstall\b|<<", re.MULTILINE)
"""What a script does before its last command that changes what that command is: nothing is said of it then."""
_MOST_STEPS = 8
_MOST_TEXT = 1 << 16
_ELF = b"\x7fELF"


class User(NamedTuple):
    """Who starts it."""

    name: str
    uid: int
    groups: frozenset[int]


def user(tree: Tree, said: str) -> User:
    """USER of the image: a name or number, with or without a group."""
    name, _, group = (said or "0").partition(":")
    uid = int(name) if name.isdigit() else 0 if name == "root" else -1
    groups = set()
    for line in tree.read("/etc/passwd").decode("utf-8", "replace").splitlines():
        parts = line.split(":")
        if len(parts) > 3 and parts[2].isdigit() and parts[3].isdigit() and name in (parts[0], parts[2]):  # noqa: PLR2004
            uid = int(parts[2])
            name = parts[0]
            groups.add(int(parts[3]))
    for line in tree.read("/etc/group").decode("utf-8", "replace").splitlines():
        parts = line.split(":")
        if len(parts) > 3 and parts[2].isdigit() and (name in parts[3].split(",") or group in (parts[0], parts[2])):  # noqa: PLR2004
            groups.add(int(parts[2]))
    if group.isdigit():
        groups.add(int(group))
    return User(name, uid, frozenset(groups or {0}))


class Entry:
    """Follows ``argv`` in ``tree``; what it finds is in the attributes that :meth:`facts` tells."""

    def __init__(self, tree: Tree, argv: Sequence[str], env: Mapping[str, str], workdir: str, who: User) -> None:
        self._tree = tree
        self._env = env
        self._workdir = workdir or "/"
        self._user = who
        self.argv = list(argv)
        self.path = ""
        self.chain: list[dict[str, str]] = []
        self.problem = ""
        self.python = ""
        self.module = self.attribute = self.folder = ""
        if self.argv:
            self._follow(self.argv, 0)

    def facts(self) -> dict[str, Any]:
        """As JSON takes it."""
        return {
            "argv": self.argv,
            "path": self.path,
            "chain": self.chain,
            "problem": self.problem,
            "python": self.python,
            "module": self.module,
            "attribute": self.attribute,
        }

    def missing(self, loader: Loader) -> list[dict[str, str]]:
        """The libraries that are missing when its programs start."""
        programs = [one["path"] for one in self.chain if one["kind"] == "program"]
        return [one for path in dict.fromkeys(programs) for one in loader.closure(path)]

    def _follow(self, argv: Sequence[str], depth: int) -> None:
        if depth > _MOST_STEPS or self.problem:
            return
        path = self._command(argv[0])
        if not path:
            return
        self.path = self.path or path
        real = self._tree.real(path) or path
        head = self._tree.read(real, _MOST_TEXT)
        if head[:4] == _ELF:
            self.chain.append({"path": real, "kind": "program"})
            self._program(path, argv, depth)
        elif head[:2] == b"#!":
            self.chain.append({"path": real, "kind": "script"})
            self._script(path, head, argv, depth)
        elif not head:
            self.problem = f"{path} is empty"
        else:
            self.chain.append({"path": real, "kind": "script"})
            self.problem = f"{path} is neither a program nor a script with a first line that names an interpreter"

    def _command(self, name: str) -> str:
        """The file that a command's first word starts; empty with a problem said."""
        if "/" in name:
            path = posixpath.normpath(posixpath.join(self._workdir, name))
            self.problem = self._why_not(path)
            return "" if self.problem else path
        denied = ""
        search = self._env.get("PATH", _PATH)
        for folder in search.split(":"):
            path = posixpath.normpath(posixpath.join(self._workdir, folder, name))
            why = self._why_not(path)
            if not why:
                return path
            denied = denied or ("" if why.endswith("is not in the image") else why)
        self.problem = denied or f"{name} is not on PATH ({search})"
        return ""

    def _why_not(self, path: str) -> str:
        """Why the user cannot start ``path``; empty where it can."""
        try:
            real = self._tree.real(path)
        except Denied as error:
            return f"{path} cannot be reached: {error} may not be entered by {self._user.name}"
        if not real:
            return self._dangling(path) or f"{path} is not in the image"
        for place in (path, real):
            parts = place.split("/")
            for i in range(1, len(parts)):
                folder = "/".join(parts[:i]) or "/"
                node = self._tree.at(folder)
                if node and node.is_dir and not self._may(node.mode, node.uid, node.gid):
                    return f"{path} cannot be reached: {folder} may not be entered by {self._user.name}"
        node = self._tree.node(real)
        if not node or not node.is_file:
            return f"{path} is not a file"
        if not self._may(node.mode, node.uid, node.gid):
            return f"{path} may not be executed by {self._user.name}"
        return ""

    def _dangling(self, path: str) -> str:
        node = self._tree.node(path)
        return f"{path} is a link to {node.link}, which is not in the image" if node and node.link else ""

    def _may(self, mode: int, uid: int, gid: int) -> bool:
        if self._user.uid == 0:
            return bool(mode & 0o111) or stat.S_ISDIR(mode)
        if uid == self._user.uid:
            return bool(mode & 0o100)
        return bool(mode & (0o010 if gid in self._user.groups else 0o001))

    def _script(self, path: str, head: bytes, argv: Sequence[str], depth: int) -> None:
        line = head.split(b"\n", 1)[0][2:].decode("utf-8", "replace")
        if line.endswith("\r"):
            self.problem = f"the first line of {path} ends with a carriage return, which becomes a part of the name"
            return
        words = line.strip().split(None, 1)
        if not words:
            self.problem = f"the first line of {path} names no interpreter"
            return
        text = head.decode("utf-8", "replace")
        command = [words[0]]
        if posixpath.basename(words[0]) == "env" and len(words) > 1:
            try:
                rest = shlex.split(words[1])
            except ValueError:
                rest = words[1].split()
            rest = [one for one in rest if not one.startswith("-") and "=" not in one]
            command = rest[:1] or command
            if self._why_not(words[0]):
                self.problem = f"{path} wants {words[0]}: {self._why_not(words[0])}"
                return
        trampoline = _TRAMPOLINE.search(text)
        if trampoline:
            command = [trampoline.group(1)]
        before = self.problem
        found = self._command(command[0])
        if not found:
            self.problem = before or f"{path} wants {command[0]}: {self.problem}"
            return
        name = posixpath.basename(command[0])
        if _PYTHON.fullmatch(name):
            self.python = self.python or found
            self.folder = posixpath.dirname(path)
            if imported := _IMPORT.search(text):
                self.module, self.attribute = imported.groups()
        self.chain.append({"path": self._tree.real(found) or found, "kind": "program"})
        if name in _SHELLS and len(argv) > 1 and _GOES_ON.search(text) and not argv[1].startswith("-"):
            self._follow(argv[1:], depth + 1)
        elif name in _SHELLS and len(head) < _MOST_TEXT and not _LOOKS_ELSEWHERE.search(text):
            self._last_command(text, depth)

    def _last_command(self, text: str, depth: int) -> None:
        """What a shell script becomes at its end, whatever it was given."""
        lines = re.sub(r"\\\n\s*", " ", text).splitlines()
        last = next((line for line in reversed(lines) if line.strip() and not line.lstrip().startswith("#")), "")
        begins, _, command = last.partition(" ")
        name = command.split()[0] if command.strip() else ""
        if begins == "exec" and (name.startswith("/") or "/" not in name):
            self._shell_text(command, depth)

    def _program(self, path: str, argv: Sequence[str], depth: int) -> None:
        name = posixpath.basename(path)
        rest = list(argv[1:])
        if _PYTHON.fullmatch(name):
            self.python = self.python or path
            self._python_arguments(rest)
        elif name in _WRAPPERS:
            if _WRAPPERS[name] in rest:
                rest = rest[rest.index(_WRAPPERS[name]) + 1 :]
            if rest and not rest[0].startswith("-"):
                self._follow(rest, depth + 1)
        elif name in _SHELLS and rest and re.fullmatch(r"-[a-z]*c", rest[0]) and len(rest) > 1:
            self._shell_text(rest[1], depth)
        elif name in _SHELLS and rest and not rest[0].startswith("-"):
            self._given(rest[0])

    def _shell_text(self, text: str, depth: int) -> None:
        """The one command of a shell form, where it is plain enough to be told."""
        words = text.split()
        while words and (words[0] == "exec" or re.fullmatch(r"\w+=[\w./:-]*", words[0])):
            words.pop(0)
        if words and _PLAIN.fullmatch(words[0]) and words[0] not in _SHELLS_OWN:
            self._follow(list(takewhile(_PLAIN.fullmatch, words)), depth + 1)

    def _given(self, name: str) -> None:
        """A file that an interpreter is given: it must be there."""
        path = posixpath.normpath(posixpath.join(self._workdir, name))
        try:
            found = self._tree.real(path)
        except Denied as error:
            self.problem = f"{path} cannot be reached: {error} may not be entered by {self._user.name}"
            return
        if not found:
            self.problem = f"{path} is not in the image"
        else:
            self.chain.append({"path": found, "kind": "script"})

    def _python_arguments(self, rest: list[str]) -> None:
        while rest:
            one = rest.pop(0)
            if one == "-m" and rest:
                self.module = rest[0]
                return
            if one in ("-W", "-X"):
                rest[:1] = []
            elif one in ("-c", "-"):
                return
            elif not one.startswith("-"):
                self._given(one)
                return
