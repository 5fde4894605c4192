"""One walk over the image's files: sizes, leftovers, shared objects and what is in them."""

from __future__ import annotations

import os
import re
from typing import Any, Iterator

from . import elf, fatbin

_SKIP = {"/proc", "/sys", "/dev"}
_SHARED = re.compile(r"\.so(?:\.[0-9]+)*$")
_CODE = (".co", ".hsaco")
_PYBIND = re.compile(rb"__pybind11_internals_(v[0-9]+(?:_[0-9A-Za-z]+)*)__")
_TENSILE = re.compile(r"/(rocblas|hipblaslt)/library$")
_GFX = re.compile(r"gfx[0-9a-f]{3,4}(?![0-9a-z])")
_IDS = re.compile(rb"/[\x21-\x7e]+/amdgpu\.ids")
_PROVIDER = re.compile(r"^lib(.+)-rdmav([0-9]+)\.so$")
_LEFTOVERS = (
    ("package lists", re.compile(r"^/var/lib/apt/lists$")),
    ("downloaded packages", re.compile(r"^/var/cache/(apt/archives|dnf|yum)$")),
    ("pip cache", re.compile(r"/\.cache/pip$")),
    ("uv cache", re.compile(r"/\.cache/uv$")),
    ("cargo registry", re.compile(r"/\.cargo/registry$")),
    ("Go modules", re.compile(r"/go/pkg/mod$")),
    ("git history", re.compile(r"/\.git$")),
)
_LOCK = re.compile(r"^lock_|\.lock$")
_JIT = re.compile(r"/(jit|\.aiter|\.triton|torch_extensions|torchinductor_[^/]+)(/|$)")


class Walk:
    """What a walk over ``root`` found."""

    def __init__(self, options: dict[str, Any], root: str = "/") -> None:
        self._checkouts: dict[str, str] = options.get("checkouts", {})
        self._site = [path.rstrip("/") for path in options.get("site", []) if path]
        self._packages: dict[str, str] = options.get("packages", {})
        """Import name -> component, for components that are installed without their checkout."""
        self._seen: set[tuple[int, int]] = set()
        self.bytes = 0
        self.count = 0
        self.leftovers: dict[str, dict[str, Any]] = {}
        self.objects: list[dict[str, Any]] = []
        self.unreadable: list[dict[str, str]] = []
        self.tensile: dict[str, list[str]] = {}
        self.locks: list[str] = []
        self.ids: list[str] = []
        self.providers: list[dict[str, str]] = []
        self._walk(root)

    def result(self) -> dict[str, Any]:
        """All of it, as JSON takes it."""
        return {
            "bytes": self.bytes,
            "count": self.count,
            "leftovers": [{"kind": kind, **found} for kind, found in sorted(self.leftovers.items())],
            "objects": self.objects,
            "unreadable": self.unreadable,
            "tensile": self.tensile,
            "locks": sorted(self.locks),
            "amdgpu_ids": {path: _read(path) for path in sorted(self.ids)},
            "rdma_providers": self.providers,
        }

    def _walk(self, root: str) -> None:
        waiting: list[tuple[str, str]] = [(root, "")]
        while waiting:
            folder, leftover = waiting.pop()
            if not leftover:
                leftover = next((kind for kind, pattern in _LEFTOVERS if pattern.search(folder)), "")
                if leftover:
                    self.leftovers.setdefault(leftover, {"bytes": 0, "paths": []})["paths"].append(folder)
            names: set[str] = set()
            library = _TENSILE.search(folder)
            for entry in _entries(folder):
                if entry.is_symlink():
                    continue
                if entry.is_dir(follow_symlinks=False):
                    if entry.path not in _SKIP:
                        waiting.append((entry.path, leftover))
                elif entry.is_file(follow_symlinks=False):
                    self._file(entry, leftover)
                    if library:
                        names.update(_GFX.findall(entry.name))
            if library:
                self.tensile[folder] = sorted(names)

    def _file(self, entry: os.DirEntry[str], leftover: str) -> None:
        try:
            status = entry.stat(follow_symlinks=False)
        except OSError:
            return  # it is gone: somebody else's temporary file
        if status.st_nlink > 1:
            if (status.st_dev, status.st_ino) in self._seen:
                return
            self._seen.add((status.st_dev, status.st_ino))
        self.bytes += status.st_size
        self.count += 1
        if leftover:
            self.leftovers[leftover]["bytes"] += status.st_size
        name = entry.name
        if _LOCK.search(name) and _JIT.search(os.path.dirname(entry.path)):
            self.locks.append(entry.path)
        elif name == "amdgpu.ids":
            self.ids.append(entry.path)
        elif name.endswith(_CODE):
            self._code(entry.path, status.st_size)
        elif _SHARED.search(name):
            self._shared(entry.path, status.st_size)

    def owner(self, path: str) -> str:
        """The package that a file belongs to: a component, an import name, a folder of /opt, or the system."""
        for name, folder in self._checkouts.items():
            if path.startswith(folder + "/"):
                return name
        for folder in self._site:
            if path.startswith(folder + "/"):
                package = path[len(folder) + 1 :].split("/", 1)[0].split(".", 1)[0]
                return self._packages.get(package, package)
        parts = path.split("/")
        return "/".join(parts[1:3]) if parts[1] == "opt" else "system"

    def _code(self, path: str, size: int) -> None:
        try:
            with open(path, "rb") as file:
                found = list(fatbin.codes(file.read()))
        except (OSError, fatbin.Unreadable) as error:
            self.unreadable.append({"path": path, "error": str(error)})
            return
        if found:
            self._add(path, size, "code object", found, {})

    def _shared(self, path: str, size: int) -> None:
        try:
            one = elf.open_elf(path)
            facts: dict[str, Any] = elf.describe(one)
        except (OSError, elf.Broken) as error:
            self.unreadable.append({"path": path, "error": str(error)})
            return
        except (elf.NotElf, ValueError):
            return  # a linker script, an empty file, or for another machine
        found: list[fatbin.Code] = []
        try:
            found = list(fatbin.codes(one.section(".hip_fatbin")))
        except fatbin.Unreadable as error:
            self.unreadable.append({"path": path, "error": str(error)})
        owner = self.owner(path)
        if owner in self._checkouts or any(need.startswith("libtorch") for need in facts["needed"]):
            facts["pybind11"] = sorted({text.decode() for text in _PYBIND.findall(one.section(".rodata"))})
        name = os.path.basename(path)
        if name.startswith(("libc.so", "libstdc++.so", "libibverbs.so")):
            facts["versions_defined"] = one.versions_defined()
        if name.startswith("libdrm_amdgpu"):
            rodata = one.section(".rodata")
            facts["amdgpu_ids"] = sorted({text.decode() for text in _IDS.findall(rodata)})
            facts["amdgpu_names"] = b"MI300X" in rodata
        if provider := _PROVIDER.search(name):
            self.providers.append({"path": path, "name": provider.group(1), "abi": provider.group(2)})
        self._add(path, size, "shared object", found, facts)

    def _add(self, path: str, size: int, kind: str, found: list[fatbin.Code], facts: dict[str, Any]) -> None:
        archs: dict[str, int] = {}
        for code in found:
            archs[code.arch] = archs.get(code.arch, 0) + code.size
        record = {"path": path, "bytes": size, "owner": self.owner(path), "kind": kind, "archs": archs}
        if any(code.compressed for code in found):
            record["compressed"] = True
        self.objects.append({**record, **facts})


def _entries(folder: str) -> Iterator[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as found:
            yield from sorted(found, key=lambda entry: entry.name)
    except OSError:
        return


def _read(path: str) -> str:
    with open(path, encoding="utf-8", errors="replace") as file:
        return file.read()
