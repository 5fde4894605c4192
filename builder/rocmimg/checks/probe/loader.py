"""Where the dynamic loader finds a library: RPATH, LD_LIBRARY_PATH, RUNPATH, ld.so.cache, then its own folders."""

from __future__ import annotations

import fnmatch
import posixpath
import struct
from typing import Any, Iterable, Mapping

from .tree import Denied, Tree

_CACHE = b"glibc-ld.so.cache1.1"
_HEADER, _ENTRY = 48, struct.Struct("<iIIIQ")
_MOST_INCLUDES = 64


class Loader:
    """The loader of one image. ``objects``: path -> facts of each ELF file, as the walk found them."""

    def __init__(self, tree: Tree, objects: Mapping[str, Mapping[str, Any]], library_path: str, machine: str) -> None:
        self._tree = tree
        self._objects = objects
        self._env = [one for one in library_path.replace(";", ":").split(":") if one.startswith("/")]
        self._machine = machine
        self._lib = f"lib/{machine}-linux-gnu" if tree.at(f"/usr/lib/{machine}-linux-gnu") else "lib64"
        self.cache = read_cache(tree.read("/etc/ld.so.cache"))
        self._found: dict[tuple[str, str], str] = {}
        musl = tree.read(f"/etc/ld-musl-{machine}.path").decode("utf-8", "replace")
        self._musl = not self.cache and any(name.startswith("ld-musl-") for name in tree.names("/lib"))
        if self._musl:
            self._own = musl.replace("\n", ":").split(":") if musl.strip() else ["/lib", "/usr/local/lib", "/usr/lib"]
        else:
            multiarch = [f"{top}/{machine}-linux-gnu" for top in ("/lib", "/usr/lib")]
            self._own = [*multiarch, "/lib64", "/usr/lib64", "/lib", "/usr/lib"]

    def find(self, name: str, path: str, inherited: Iterable[str] = ()) -> str:
        """The file that ``name`` leads to when the object at ``path`` needs it; empty where none is found."""
        facts = self._objects[path]
        if "/" in name:
            return self._file(*posixpath.split(name)) if name.startswith("/") else ""
        searched: list[str] = []
        if not facts["runpath"]:
            searched += [*self.folders(facts["rpath"], path), *inherited]
        searched += [*self._env, *self.folders(facts["runpath"], path)]
        for folder in searched:
            if found := self._file(folder, name):
                return found
        for cached in self.cache.get(name, ()):
            if found := self._file(*posixpath.split(cached)):
                return found
        for folder in self._own:
            if found := self._file(folder, name):
                return found
        return ""

    def _file(self, folder: str, name: str) -> str:
        known = self._found.get((folder, name))
        if known is None:
            try:
                found = self._tree.real(posixpath.normpath(folder + "/" + name)) or ""
            except Denied:
                found = ""
            known = self._found[folder, name] = found if found in self._objects else ""
        return known

    def folders(self, text: str, path: str) -> list[str]:
        """The folders of an RPATH or RUNPATH of the object at ``path``."""
        origin = posixpath.dirname(path)
        for name, value in (("ORIGIN", origin), ("LIB", self._lib), ("PLATFORM", self._machine)):
            text = text.replace("${" + name + "}", value).replace("$" + name, value)
        return [one for one in text.split(":") if one.startswith("/")]

    def by_rpath(self, name: str, path: str) -> bool:
        """Whether the object at ``path`` has an RPATH, which holds for what it loads too, that leads to ``name``."""
        own = self._objects[path]
        return not own["runpath"] and any(self._file(folder, name) for folder in self.folders(own["rpath"], path))

    def closure(self, path: str) -> list[dict[str, str]]:
        """What is missing when the program at ``path`` starts, breadth first as the loader looks."""
        missing: list[dict[str, str]] = []
        loaded: set[str] = set()
        waiting: list[tuple[str, list[str]]] = [(path, [])]
        seen = {path}
        while waiting:
            one, inherited = waiting.pop(0)
            facts = self._objects.get(one)
            if facts is None:
                continue
            rpaths = [*self.folders(facts["rpath"], one), *inherited] if not facts["runpath"] else inherited
            for name in facts["needed"]:
                if name in loaded:
                    continue
                loaded.add(name)
                found = self.find(name, one, inherited)
                if not found:
                    missing.append({"library": name, "needed_by": one})
                elif found not in seen:
                    seen.add(found)
                    loaded.add(self._objects[found]["soname"])
                    waiting.append((found, rpaths))
        return missing


def judge(loader: Loader, objects: Mapping[str, dict[str, Any]], defined: Mapping[str, list[str]]) -> None:
    """Fill ``unresolved``, ``elsewhere`` and ``versions_missing`` of every object.

    What an object does not find by itself is there all the same where one that loads it brings it along.
    """
    parents: dict[str, set[str]] = {}
    resolved: dict[str, dict[str, str]] = {}
    names: dict[str, list[str]] = {}
    for path, facts in objects.items():
        for name in {posixpath.basename(path), facts["soname"]} - {""}:
            names.setdefault(name, []).append(path)
        resolved[path] = {name: loader.find(name, path) for name in facts["needed"]}
        for other in resolved[path].values():
            parents.setdefault(other, set()).add(path)
    for path, facts in objects.items():
        facts["versions_missing"] = [
            {"version": version, "library": library, "path": found}
            for library, versions in facts.pop("_versions").items()
            if (found := resolved[path].get(library, "")) and defined.get(found)
            for version in versions
            if version not in defined[found]
        ]
        lost = [name for name, found in resolved[path].items() if not found]
        above = _above(path, parents) if lost else set()
        facts["unresolved"] = [name for name in lost if not _brought(loader, name, above, resolved)]
        elsewhere = {name: sorted(names[name])[:3] for name in facts["unresolved"] if name in names}
        if elsewhere:
            facts["elsewhere"] = elsewhere


def _above(path: str, parents: Mapping[str, set[str]]) -> set[str]:
    found: set[str] = set()
    waiting = [path]
    while waiting:
        for parent in parents.get(waiting.pop(), ()):
            if parent not in found:
                found.add(parent)
                waiting.append(parent)
    return found


def _brought(loader: Loader, name: str, above: set[str], resolved: Mapping[str, Mapping[str, str]]) -> bool:
    return any(resolved[one].get(name) or loader.by_rpath(name, one) for one in above)


def read_cache(data: bytes) -> dict[str, list[str]]:
    """Library -> paths in ld.so.cache; empty where it cannot be read."""
    start = data.find(_CACHE)
    if start < 0:
        return {}
    data = data[start:]
    found: dict[str, list[str]] = {}
    try:
        (count,) = struct.unpack_from("<I", data, len(_CACHE))
        for i in range(min(count, (len(data) - _HEADER) // _ENTRY.size)):
            _, name, path, *_ = _ENTRY.unpack_from(data, _HEADER + i * _ENTRY.size)
            found.setdefault(_text(data, name), []).append(_text(data, path))
    except struct.error:
        return {}
    return found


def _text(data: bytes, at: int) -> str:
    end = data.find(b"\0", at)
    return data[at : end if end >= 0 else len(data)].decode("utf-8", "replace")


def configured(tree: Tree) -> list[str]:
    """The folders that /etc/ld.so.conf names."""
    found: list[str] = []
    waiting, seen = ["/etc/ld.so.conf"], 0
    while waiting and seen < _MOST_INCLUDES:
        path = waiting.pop(0)
        seen += 1
        for line in tree.read(path).decode("utf-8", "replace").splitlines():
            words = line.partition("#")[0].split()
            if not words:
                continue
            if words[0] != "include":
                found += [one.rstrip("/") or "/" for word in words for one in word.split(",") if one.startswith("/")]
                continue
            for pattern in words[1:]:
                folder, name = posixpath.split(posixpath.join(posixpath.dirname(path), pattern))
                waiting += [f"{folder}/{one}" for one in fnmatch.filter(tree.names(folder), name)]
    return list(dict.fromkeys(found))


def facts(tree: Tree, loader: Loader) -> dict[str, Any]:
    """What the loader's configuration says, and what its cache does not know of it."""
    folders = configured(tree)
    cached = {posixpath.dirname(path) for paths in loader.cache.values() for path in paths}
    real = {tree.real(folder) for folder in cached}
    stale = [
        folder
        for folder in folders
        if loader.cache
        and tree.real(folder) not in real
        and any(name.startswith("lib") and ".so" in name for name in tree.names(folder))
    ]
    return {"cache": sum(map(len, loader.cache.values())), "configured": folders, "stale": stale}
