"""Which files the distribution's own packages brought: the lists of dpkg, rpm and apk."""

from __future__ import annotations

import contextlib
import os
import posixpath
import struct
import subprocess
import tempfile
from typing import Any, Iterator

from .tree import Live, Tree

_DPKG = "/var/lib/dpkg/info"
_DISTROLESS = "/var/lib/dpkg/status.d"
_APK = "/lib/apk/db/installed"
_RPM = ("/var/lib/rpm/rpmdb.sqlite", "/usr/lib/sysimage/rpm/rpmdb.sqlite")
_RPM_OTHER = ("/var/lib/rpm/Packages", "/var/lib/rpm/Packages.db", "/usr/lib/sysimage/rpm/Packages.db")
_MERGED = ("lib", "lib64", "lib32", "bin", "sbin")
_NAME, _INDEXES, _BASES, _FOLDERS = 1000, 1116, 1117, 1118
_LIMIT_S = 60


def keeps(path: str) -> bool:
    """Whether :func:`listed` reads this file."""
    return path.startswith((_DPKG, _DISTROLESS)) or path in (_APK, *_RPM)


def owners(tree: Tree, wanted: set[str]) -> tuple[dict[str, str], list[str]]:
    """Path -> package, of those of ``wanted`` that a package lists; and the managers whose lists were read."""
    merged = {}
    for top in _MERGED:
        target = tree.real("/" + top)
        if target and target != "/" + top:
            merged[f"/{top}/"] = target + "/"
    found: dict[str, str] = {}
    managers: list[str] = []
    for manager, package, path in listed(tree):
        if manager not in managers:
            managers.append(manager)
        short = next((one for one in merged if path.startswith(one)), "")
        real = merged[short] + path[len(short) :] if short else path
        if real in wanted:
            found[real] = package
    return found, managers


def listed(tree: Tree) -> Iterator[tuple[str, str, str]]:
    """(manager, package, path) of every file that a package manager knows."""
    yield from _dpkg(tree)
    yield from _apk(tree)
    yield from _rpm(tree)


def _dpkg(tree: Tree) -> Iterator[tuple[str, str, str]]:
    for name in tree.names(_DPKG):
        if name.endswith(".list"):
            package = name[: -len(".list")].partition(":")[0]
            for line in tree.read(f"{_DPKG}/{name}").decode("utf-8", "replace").splitlines():
                yield "dpkg", package, line
    for name in tree.names(_DISTROLESS):
        if name.endswith(".md5sums"):
            for line in tree.read(f"{_DISTROLESS}/{name}").decode("utf-8", "replace").splitlines():
                yield "dpkg", name[: -len(".md5sums")], "/" + line.partition("  ")[2]


def _apk(tree: Tree) -> Iterator[tuple[str, str, str]]:
    package = folder = ""
    for line in tree.read(_APK).decode("utf-8", "replace").splitlines():
        if line.startswith("P:"):
            package = line[2:]
        elif line.startswith("F:"):
            folder = line[2:]
        elif line.startswith("R:"):
            yield "apk", package, posixpath.join("/", folder, line[2:])


def _rpm(tree: Tree) -> Iterator[tuple[str, str, str]]:
    for path in _RPM:
        if data := tree.read(path, 1 << 30):
            for blob in _blobs(data):
                yield from _header(blob)
            return
    if isinstance(tree, Live) and any(tree.node(path) for path in _RPM_OTHER):
        yield from _by_rpm()


def _blobs(data: bytes) -> list[bytes]:
    try:
        import sqlite3
    except ImportError:
        return []
    with contextlib.suppress(sqlite3.Error, OSError), tempfile.TemporaryDirectory(prefix="rocmimg-") as scratch:
        path = os.path.join(scratch, "rpmdb.sqlite")
        with open(path, "wb") as file:
            file.write(data)
        with contextlib.closing(sqlite3.connect(f"file:{path}?immutable=1", uri=True)) as database:
            return [row[0] for row in database.execute("select blob from Packages")]
    return []


def _header(blob: bytes) -> Iterator[tuple[str, str, str]]:
    """The files in one header of an rpm database."""
    try:
        count, _ = struct.unpack_from(">II", blob)
        entries = [struct.unpack_from(">IIII", blob, 8 + i * 16) for i in range(count)]
    except struct.error:
        return
    start = 8 + count * 16
    places = {tag: (start + at, number) for tag, _, at, number in entries}

    def texts(tag: int) -> list[str]:
        at, number = places.get(tag, (0, 0))
        return [one.decode("utf-8", "replace") for one in blob[at:].split(b"\0", number)[:number]]

    at, number = places.get(_INDEXES, (0, 0))
    names, folders = texts(_BASES), texts(_FOLDERS)
    if len(blob) < at + 4 * number or not places.get(_NAME):
        return
    package = "".join(texts(_NAME))
    for name, index in zip(names, struct.unpack_from(f">{number}I", blob, at)):
        if index < len(folders):
            yield "rpm", package, folders[index] + name


def _by_rpm() -> Iterator[tuple[str, str, str]]:
    """Of databases that only rpm itself reads."""
    command = ["rpm", "-qa", "--queryformat", "[%{=NAME}\\t%{FILENAMES}\\n]"]
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
            timeout=_LIMIT_S, check=False,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired):
        return
    for line in done.stdout.decode("utf-8", "replace").splitlines():
        package, _, path = line.partition("\t")
        yield "rpm", package, path


def facts(tree: Tree, objects: dict[str, dict[str, Any]]) -> list[str]:
    """Fill ``package`` of every object; the managers whose lists were read."""
    found, managers = owners(tree, set(objects))
    for path, one in objects.items():
        one["package"] = found.get(path, "")
    return managers
