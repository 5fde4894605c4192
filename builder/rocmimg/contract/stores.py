"""Where sources lie: a git commit, a folder, or a wheel or sdist; all three answer the same three questions."""

from __future__ import annotations

import hashlib
import tarfile
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import Final, Protocol

from rocmimg.contract.git import GitRepository, Mirrors, clone
from rocmimg.errors import SourceError
from rocmimg.source import Git, Local, Nothing, SourceSpec
from rocmimg.terminal import without_secrets

_LARGEST: Final = 4 << 20
_UNPACKED: Final = 8 << 30
_KEPT: Final = 1 << 30
"""Bytes of one file that are read: a generated table beyond that is not an interface."""


class Store(Protocol):
    """A tree of files, read by path."""

    @property
    def name(self) -> str: ...

    def folder(self, path: str) -> dict[str, tuple[bool, str]] | None:
        """Entries of a folder ("" is the root): name -> (is a folder, content id); None where there is none."""

    def read(self, paths: Iterable[str]) -> Iterator[tuple[str, bytes]]:
        """(path, content) of files that ``folder`` listed, in order."""


def walk(store: Store, folder: str, suffixes: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    """(path, content id) of all files below a folder with one of these endings, sorted by path."""
    for name, (is_folder, key) in sorted((store.folder(folder) or {}).items()):
        path = f"{folder}/{name}" if folder else name
        if is_folder:
            yield from walk(store, path, suffixes)
        elif name.endswith(suffixes):
            yield path, key


class GitStore:
    """The files of one commit."""

    def __init__(self, repository: GitRepository, commit: str, name: str) -> None:
        self.repository = repository
        self.commit = commit
        self.name = name

    def _entry(self, path: str) -> tuple[bool, str] | None:
        entry = (True, self.commit)
        for part in path.split("/") if path else ():
            found = self.repository.listing(entry[1]).get(part) if entry[0] else None
            if found is None:
                return None
            entry = found
        return entry

    def folder(self, path: str) -> dict[str, tuple[bool, str]] | None:
        """Entries of a folder, from the tree object."""
        entry = self._entry(path)
        return self.repository.listing(entry[1]) if entry is not None and entry[0] else None

    def read(self, paths: Iterable[str]) -> Iterator[tuple[str, bytes]]:
        """Contents from the object store."""
        for path in paths:
            entry = self._entry(path)
            if entry is not None and not entry[0]:
                for _, body in self.repository.read((entry[1],)):
                    yield path, body[:_LARGEST]

    def prefetch(self, folder: str, suffixes: tuple[str, ...]) -> None:
        """Of a partial clone: fetch a folder's files in one request, before they are read one by one."""
        if self.repository.partial and (entry := self._entry(folder)) is not None:
            self.repository.prefetch((key for _, key in walk(self, folder, suffixes)), entry[1])


class _Tree:
    """Entries by folder, of files whose content ids are computed here."""

    def __init__(self) -> None:
        self.folders: dict[str, dict[str, tuple[bool, str]]] = {"": {}}

    def add(self, path: str, key: str) -> None:
        entry = (False, key)
        while True:
            parent, _, name = path.rpartition("/")
            known = parent in self.folders
            self.folders.setdefault(parent, {})[name] = entry
            if known:
                return
            path, entry = parent, (True, "")


def _blob_id(content: bytes) -> str:
    """Git's id of this content, so that a wheel and a checkout share their parse results."""
    return hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()


class FolderStore:
    """The files of a folder as they lie there."""

    def __init__(self, root: Path, name: str) -> None:
        self.root = root
        self.name = name
        self._folders: dict[str, dict[str, tuple[bool, str]] | None] = {}

    def folder(self, path: str) -> dict[str, tuple[bool, str]] | None:
        """Entries of a folder, as they were when it was first asked for."""
        if path not in self._folders:
            self._folders[path] = self._listing(self.root / path)
        return self._folders[path]

    @staticmethod
    def _listing(here: Path) -> dict[str, tuple[bool, str]] | None:
        """What lies in a folder; hidden entries and linked folders are left out."""
        if not here.is_dir():
            return None
        entries: dict[str, tuple[bool, str]] = {}
        for entry in here.iterdir():
            if entry.name.startswith(".") or entry.name == "__pycache__":
                continue
            if entry.is_dir():
                if not entry.is_symlink():
                    entries[entry.name] = (True, "")
            elif entry.suffix == ".py":
                entries[entry.name] = (False, _blob_id(entry.read_bytes()))
            elif entry.is_file():
                entries[entry.name] = (False, "")
        return entries

    def read(self, paths: Iterable[str]) -> Iterator[tuple[str, bytes]]:
        """Contents from disk."""
        for path in paths:
            yield path, (self.root / path).read_bytes()[:_LARGEST]


class WheelStore:
    """The files of a wheel, read when they are asked for.

    The archive's own checksums stand in for content ids: a wheel whose files are all known is never unpacked.
    """

    def __init__(self, archive: Path, name: str) -> None:
        self.name = name
        self._tree = _Tree()
        try:
            self._wheel = zipfile.ZipFile(archive)
        except (zipfile.BadZipFile, OSError) as error:
            raise SourceError(f"cannot read {archive}", why=str(error), next_step="give a whole wheel") from error
        for member in self._wheel.infolist():
            if not member.is_dir():
                self._tree.add(member.filename, f"{member.filename}:{member.CRC:08x}:{member.file_size}")

    def folder(self, path: str) -> dict[str, tuple[bool, str]] | None:
        """Entries of a folder of the archive."""
        return self._tree.folders.get(path)

    def read(self, paths: Iterable[str]) -> Iterator[tuple[str, bytes]]:
        """Contents, unpacked one by one."""
        for path in paths:
            try:
                with self._wheel.open(path) as member:
                    yield path, member.read(_LARGEST)
            except (zipfile.BadZipFile, zlib.error, OSError) as error:
                raise SourceError(f"{self.name} is damaged at {path}", why=str(error)) from error


class SdistStore:
    """The text files of an sdist: a compressed stream, so they are read once and kept."""

    _kept: Final = (".py", ".h", ".hpp", ".toml", ".cfg")

    def __init__(self, archive: Path, name: str) -> None:
        self.name = name
        self._files: dict[str, bytes] = {}
        self._tree = _Tree()
        try:
            with tarfile.open(archive) as sdist:
                unpacked = kept = 0
                for member in sdist:
                    unpacked += member.size
                    if unpacked > _UNPACKED or kept > _KEPT:
                        raise SourceError(
                            f"{archive} is not read to its end", why=f"it unpacks to more than {_UNPACKED >> 30} GiB"
                        )
                    if member.isfile() and member.name.endswith(self._kept):
                        stream = sdist.extractfile(member)
                        path, content = member.name.partition("/")[2], stream.read(_LARGEST) if stream else b""
                        kept += len(content)
                        self._files[path] = content
                        self._tree.add(path, _blob_id(content))
        except (tarfile.TarError, EOFError, OSError, zlib.error) as error:
            raise SourceError(f"cannot read {archive}", why=str(error), next_step="give a whole sdist") from error

    def folder(self, path: str) -> dict[str, tuple[bool, str]] | None:
        """Entries of a folder of the archive."""
        return self._tree.folders.get(path)

    def read(self, paths: Iterable[str]) -> Iterator[tuple[str, bytes]]:
        """Contents from memory."""
        for path in paths:
            yield path, self._files[path]


def parse_source(text: str) -> Git | Local:
    """What ``PATH_OR_GIT[@REF]`` of a command line means; "@" may stand in the path or address itself."""
    place, at, ref = text.rpartition("@")
    authority_only = "://" in place and "/" not in place.split("://", 1)[1]
    if not at or not ref or ":" in ref or Path(text).exists() or authority_only or not place:
        return Git(repo=text, ref="") if is_remote(text) else Local(folder=text)
    return Git(repo=place, ref=ref)


def is_remote(repo: str) -> bool:
    """True for an address: a URL, or scp's ``host:path``."""
    if "://" in repo:
        return True
    host, colon, path = repo.partition(":")
    return bool(colon and path) and "/" not in host and not Path(repo).exists()


@cache
def repository(repo: str, mirrors: Mirrors = ()) -> GitRepository:
    """The object store of a path or an address. One per process: its reader process and tree cache are shared."""
    if not is_remote(repo):
        return GitRepository(Path(repo), repo)
    return GitRepository(clone(repo, mirrors), without_secrets(repo), cached=True, mirrors=mirrors)


def history(source: SourceSpec, mirrors: Mirrors = ()) -> GitRepository | None:
    """The repository that a source is in, with its tags, or None where it is a plain folder or an archive."""
    match source:
        case Git(repo=repo) if is_remote(repo):
            return repository(repo, mirrors)
        case Git(repo=where) | Local(folder=where):
            path = Path(where)
            return repository(where) if (path / ".git").exists() or (path / "HEAD").is_file() else None
    return None


def open_store(source: SourceSpec, *, refresh: bool = False, mirrors: Mirrors = ()) -> Store:
    """The files of a source; picked and reverted commits are not looked at.

    A folder is read as it lies on disk, with its uncommitted changes; a bare repository at HEAD. ``refresh`` fetches a
    remote first, which a branch of a remote always does. Raises SourceError.
    """
    match source:
        case Local(folder=folder):
            where, ref = folder, ""
        case Git(repo=repo, ref=wanted):
            where, ref = repo, wanted
        case Nothing():
            raise SourceError("there are no sources to read", why="the component has none of its own")
    path = Path(where)
    if isinstance(source, Local) or not is_remote(where):
        if not path.exists():
            raise SourceError(f"{where} does not exist", next_step="give a path, a git address, or a wheel")
        if path.is_file():
            if ref:
                raise SourceError(f"{where} is a file and has no ref {ref!r}", next_step="leave out the ref")
            return (WheelStore if path.suffix in (".whl", ".zip") else SdistStore)(path, path.name)
        if not ref and not ((path / "HEAD").is_file() and (path / "objects").is_dir()):
            return FolderStore(path, where)
    git = repository(where, mirrors)
    if refresh or not ref or not git.is_fixed(ref):
        git.refresh()
    commit = git.resolve(ref or "HEAD")
    return GitStore(git, commit, f"{git.name}@{ref or commit[:12]}")
