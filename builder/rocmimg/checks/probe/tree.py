"""The file system of an image: as it is around this process, or as the engine exported it.

Both say what lies at a path without following the last link, give small files whole, and hand over every regular file
once; links are followed by the same code, inside the image's own root.
"""

from __future__ import annotations

import os
import posixpath
import stat
import tarfile
import tempfile
from typing import Any, Callable, Iterable, Iterator, NamedTuple

from .source import Memory, Source

_SKIP = ("/proc", "/sys", "/dev")
_MOST_LINKS = 40
_IN_MEMORY = 1 << 20


class Node(NamedTuple):
    """What lies at a path."""

    mode: int
    uid: int
    gid: int
    size: int
    link: str
    """Where a symbolic link points."""

    @property
    def is_file(self) -> bool:
        return stat.S_ISREG(self.mode)

    @property
    def is_dir(self) -> bool:
        return stat.S_ISDIR(self.mode)


class Denied(Exception):
    """This process may not look there."""


class Tree:
    """One file system. Paths are absolute, ``/`` is the image's own."""

    def node(self, path: str) -> Node | None:
        """What lies at ``path`` itself; None where nothing does. Raises Denied."""
        raise NotImplementedError

    def read(self, path: str, limit: int = 1 << 26) -> bytes:
        """The beginning of a regular file that :meth:`keeps` names; empty where there is none."""
        raise NotImplementedError

    def names(self, folder: str) -> list[str]:
        """What a folder holds, in order; empty where it is none."""
        raise NotImplementedError

    def files(self) -> Iterator[tuple[str, Node, Callable[[], Source]]]:
        """Every regular file: its path, and how to open it while it is the current one."""
        raise NotImplementedError

    def folders(self) -> Iterable[str]:
        """Every folder that was met, once :meth:`files` is exhausted."""
        raise NotImplementedError

    def real(self, path: str) -> str | None:
        """``path`` with all links followed; None where it leads nowhere. Raises Denied."""
        found, rest, links = "", [part for part in reversed(path.split("/")) if part], 0
        while rest:
            part = rest.pop()
            if part == ".":
                continue
            if part == "..":
                found = posixpath.dirname(found).rstrip("/")
                continue
            node = self.node(found + "/" + part)
            if node is None:
                return None
            if node.link:
                links += 1
                if links > _MOST_LINKS:
                    return None
                rest += [one for one in reversed(node.link.split("/")) if one]
                found = "" if node.link.startswith("/") else found
            else:
                if rest and not node.is_dir:
                    return None
                found += "/" + part
        return found or "/"

    def at(self, path: str) -> Node | None:
        """What ``path`` leads to."""
        found = self.real(path)
        return self.node(found) if found else None


class Live(Tree):
    """The file system of this process, below ``root``."""

    def __init__(self, root: str = "/") -> None:
        self._root = root.rstrip("/")
        self._nodes: dict[str, Node | None] = {}
        self._folders: list[str] = []

    def node(self, path: str) -> Node | None:
        if path not in self._nodes:
            self._nodes[path] = self._look(path)
        return self._nodes[path]

    def _look(self, path: str) -> Node | None:
        try:
            return _of(self._root + path, os.lstat(self._root + path))
        except PermissionError:
            raise Denied(posixpath.dirname(path)) from None
        except (OSError, ValueError):
            return None

    def read(self, path: str, limit: int = 1 << 26) -> bytes:
        try:
            found = self.real(path)
            if found is None:
                return b""
            with open(self._root + found, "rb") as file:
                return file.read(limit)
        except (OSError, Denied):
            return b""

    def names(self, folder: str) -> list[str]:
        try:
            found = self.real(folder)
            return sorted(os.listdir(self._root + found)) if found else []
        except (OSError, Denied):
            return []

    def files(self) -> Iterator[tuple[str, Node, Callable[[], Source]]]:
        waiting = [self._root or "/"]
        seen: set[tuple[int, int]] = set()
        while waiting:
            folder = waiting.pop()
            self._folders.append(folder[len(self._root) :] or "/")
            for entry in _entries(folder):
                path = entry.path[len(self._root) :]
                if entry.is_symlink():
                    continue
                if entry.is_dir(follow_symlinks=False):
                    if path not in _SKIP:
                        waiting.append(entry.path)
                elif entry.is_file(follow_symlinks=False):
                    try:
                        status = entry.stat(follow_symlinks=False)
                    except OSError:
                        continue  # it is gone: somebody else's temporary file
                    if status.st_nlink > 1:
                        if (status.st_dev, status.st_ino) in seen:
                            continue
                        seen.add((status.st_dev, status.st_ino))
                    yield path, _of(entry.path, status), lambda path=entry.path: Source(path)  # type: ignore[misc]

    def folders(self) -> Iterable[str]:
        return self._folders


class Exported(Tree):
    """A file system out of a stream of tar members; each is looked at as it comes by.

    ``keep`` says which files are wanted whole later on.
    """

    def __init__(self, members: Iterable[tuple[tarfile.TarInfo, Any]], keep: Callable[[str], bool]) -> None:
        self._members = members
        self._keep = keep
        self._nodes: dict[str, Node] = {}
        self._names: dict[str, set[str]] = {}
        self._kept: dict[str, bytes] = {}
        self._beginnings: dict[str, bytes] = {}

    def node(self, path: str) -> Node | None:
        return self._nodes.get(path)

    def read(self, path: str, limit: int = 1 << 26) -> bytes:
        found = self.real(path) or ""
        return self._kept.get(found, self._beginnings.get(found, b""))[:limit]

    def names(self, folder: str) -> list[str]:
        return sorted(self._names.get(self.real(folder) or "", ()))

    def files(self) -> Iterator[tuple[str, Node, Callable[[], Source]]]:
        self._add("/", Node(stat.S_IFDIR | 0o755, 0, 0, 0, ""))
        with tempfile.TemporaryDirectory(prefix="rocmimg-") as scratch:
            for member, content in self._members:
                path = _absolute(member.name)
                if path == "/" or path.startswith(tuple(one + "/" for one in _SKIP)):
                    continue
                if member.islnk():
                    first = self._nodes.get(_absolute(member.linkname))
                    if first:
                        self._add(path, first)
                    continue
                node = Node(
                    member.mode | (stat.S_IFREG if member.isreg() else stat.S_IFDIR if member.isdir() else 0),
                    member.uid,
                    member.gid,
                    member.size,
                    member.linkname if member.issym() else "",
                )
                self._add(path, node)
                if member.isreg():
                    yield path, node, self._opener(path, member.size, content, scratch)

    def _opener(self, path: str, size: int, content: Any, scratch: str) -> Callable[[], Source]:
        kept = self._keep(path)
        begin = content.read(size if kept or size <= _IN_MEMORY else _IN_MEMORY)
        if kept:
            self._kept[path] = begin
        elif self._nodes[path].mode & 0o111:
            self._beginnings[path] = begin[:256]

        def opened() -> Source:
            if len(begin) == size:
                return Memory(begin)
            name = os.path.join(scratch, "file")
            with open(name, "wb") as file:
                file.write(begin)
                while piece := content.read(1 << 20):
                    file.write(piece)
            return Source(name)

        return opened

    def _add(self, path: str, node: Node) -> None:
        self._nodes[path] = node
        parent, _, name = path.rpartition("/")
        self._names.setdefault(parent or "/", set()).add(name)

    def folders(self) -> Iterable[str]:
        return [path for path, node in self._nodes.items() if node.is_dir]


def _absolute(name: str) -> str:
    return posixpath.normpath("/" + name.lstrip("/"))


def _of(path: str, status: os.stat_result) -> Node:
    link = os.readlink(path) if stat.S_ISLNK(status.st_mode) else ""
    return Node(status.st_mode, status.st_uid, status.st_gid, status.st_size, link)


def _entries(folder: str) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as found:
            return sorted(found, key=lambda entry: entry.name)
    except OSError:
        return []
