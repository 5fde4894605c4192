"""What an image's layers hold in vain: files that a later layer replaces or removes, and whose they are."""

from __future__ import annotations

import csv
import json
import posixpath
import re
import tarfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import IO, Any, Final

_WHITEOUT: Final = ".wh."
_OPAQUE: Final = ".wh..wh..opq"
_BLOCK: Final = 512
_MOST_TEXT: Final = 16 << 20
_DPKG: Final = re.compile(r"var/lib/dpkg/info/([^/:]+)(?::[^/]+)?\.list")
_RECORD: Final = re.compile(r"(?P<site>.*?)(?P<name>[^/]+)-[^-/]+\.dist-info/RECORD")
_PYTHON: Final = re.compile(r"(?:site|dist)-packages/([^/]+)/")
_DEPTH: Final = 3


@dataclass(slots=True)
class Layer:
    """One layer."""

    created_by: str = ""
    files: dict[str, int] = field(default_factory=dict)
    """All but folders, with their bytes."""
    hides: set[str] = field(default_factory=set)
    """Files and folders of lower layers that are gone, with all that is below them."""
    owners: dict[str, str] = field(default_factory=dict)
    """File -> package of the distribution or of Python that lists it in this very layer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Dead:
    """What one layer holds in vain."""

    layer: int
    """Counted from 1, the lowest."""
    created_by: str
    bytes: int
    packages: Mapping[str, int]
    """Package, or folder where no package lists the file -> bytes; the most first."""


class _Whole:
    """A stream whose first bytes were read already."""

    def __init__(self, first: bytes, rest: IO[bytes]) -> None:
        self._first, self._rest = first, rest

    def read(self, count: int) -> bytes:
        taken, self._first = self._first[:count], self._first[count:]
        return taken + self._rest.read(count - len(taken)) if len(taken) < count else taken


def read_layers(members: Iterable[tuple[tarfile.TarInfo, IO[bytes]]]) -> list[Layer]:
    """The layers in an archive of ``docker save``, lowest first; every engine's form of it has a manifest.json.

    Raises:
        ValueError: it has a layer that cannot be read here, or no manifest.
    """
    texts: dict[str, bytes] = {}
    layers: dict[str, Layer] = {}
    links: dict[str, str] = {}
    for member, content in members:
        name = posixpath.normpath(member.name)
        if member.issym() or member.islnk():
            folder = posixpath.dirname(name) if member.issym() else ""
            links[name] = posixpath.normpath(posixpath.join(folder, member.linkname))
        elif member.isreg():
            first = content.read(_BLOCK)
            if first.lstrip()[:1] in (b"{", b"["):
                texts[name] = first + content.read(_MOST_TEXT)
            elif layer := _layer(_Whole(first, content)):
                layers[name] = layer
    manifest = _parsed(texts, "manifest.json")[0]
    steps = [step for step in _parsed(texts, manifest["Config"]).get("history") or () if not step.get("empty_layer")]
    names = [links.get(name, name) for name in map(posixpath.normpath, manifest["Layers"])]
    if unread := [name for name in names if name not in layers]:
        raise ValueError(f"{unread[0]} is in a form that is not read")
    for name, step in zip(names, steps, strict=False):
        layers[name].created_by = str(step.get("created_by", ""))
    return [layers[name] for name in names]


def _parsed(texts: Mapping[str, bytes], name: str) -> Any:
    if name not in texts:
        raise ValueError(f"the engine's archive has no {name}")
    return json.loads(texts[name])


def _layer(stream: Any) -> Layer | None:
    """One layer; None for what is not a tar."""
    layer = Layer()
    try:
        with tarfile.open(fileobj=stream, mode="r|*") as tar:
            for member in tar:
                tar.members = []  # type: ignore[attr-defined]
                _add(layer, tar, member)
    except tarfile.ReadError:
        return None
    return layer


def _add(layer: Layer, tar: tarfile.TarFile, member: tarfile.TarInfo) -> None:
    path = posixpath.normpath(member.name).lstrip("/")
    folder, name = posixpath.split(path)
    if name == _OPAQUE:
        layer.hides.add(folder)
    elif name.startswith(_WHITEOUT):
        layer.hides.add(posixpath.join(folder, name.removeprefix(_WHITEOUT)))
    elif not member.isdir():
        layer.files[path] = member.size
        package = _DPKG.fullmatch(path)
        record = _RECORD.fullmatch(path)
        if not (package or record) or member.size > _MOST_TEXT or not (content := tar.extractfile(member)):
            return
        lines = content.read().decode(errors="replace").splitlines()
        if package:
            layer.owners.update((_merged(line.lstrip("/")), package[1]) for line in lines)
        elif record:
            listed = (row[0] for row in csv.reader(lines) if row)
            files = (posixpath.normpath(posixpath.join(record["site"], one)) for one in listed)
            layer.owners.update((_merged(file), record["name"]) for file in files)


def dead(layers: list[Layer]) -> list[Dead]:
    """What later layers replace or remove, by layer, lowest first; layers without any are left out."""
    found: list[Dead] = []
    above: set[str] = set()
    gone: set[str] = set()
    for number, layer in reversed(list(enumerate(layers, 1))):
        known: dict[str, bool] = {"": "" in gone}
        packages: dict[str, int] = {}
        for path, size in layer.files.items():
            if size and (path in above or path in gone or _below(posixpath.dirname(path), above, gone, known)):
                owner = layer.owners.get(_merged(path)) or _folder(path)
                packages[owner] = packages.get(owner, 0) + size
        if packages:
            ordered = dict(sorted(packages.items(), key=lambda item: -item[1]))
            total = sum(ordered.values())
            found.append(Dead(layer=number, created_by=layer.created_by, bytes=total, packages=ordered))
        above |= layer.files.keys()
        gone |= layer.hides
    return found[::-1]


def _below(folder: str, above: set[str], gone: set[str], known: dict[str, bool]) -> bool:
    """Whether a folder of this layer, or one that it lies in, is not in the image any more."""
    if folder not in known:
        here = folder in gone or folder in above
        known[folder] = here or _below(posixpath.dirname(folder), above, gone, known)
    return known[folder]


def _merged(path: str) -> str:
    """A path as it is named on systems where /lib is /usr/lib and on those where it is not."""
    return path.removeprefix("usr/") if path.startswith(("usr/lib", "usr/bin/", "usr/sbin/")) else path


def _folder(path: str) -> str:
    if python := _PYTHON.search(path):
        return python[1]
    return "/" + "/".join(path.split("/")[:-1][:_DEPTH])
