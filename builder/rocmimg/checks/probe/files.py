"""One walk over the image's files: sizes, leftovers, what is linked to what, and all GPU code."""

from __future__ import annotations

import posixpath
import re
from typing import Any, Callable, Mapping

from . import archives, blas, elf, fatbin, loader, packages
from .source import Source
from .tree import Node, Tree
from .unpack import Unreadable

_TEXT = re.compile(
    r"\.(py|pyi|pyc|pyx|pxd|txt|md|rst|html?|css|js|ts|json|ya?ml|toml|cfg|ini|xml|svg|png|gif|jpe?g|h|hh|hpp|c|cc|cpp|cu|"
    r"cuh|hip|f90|cmake|mo|po|gz|xz|bz2|zst|pem|list|md5sums|sh|pl|pm|tcl|el|safetensors|gguf|ttf|a|o|ll|bc|dat|csv)$"
)
"""Endings of files that hold nothing to be read; archives of kernels with such an ending are asked for by name."""
_PACKED = re.compile(r"\.(hsaco|co)\.\w+$")
_PYBIND = re.compile(rb"__pybind11_internals_(v[0-9]+(?:_[0-9A-Za-z]+)*)__")
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
_LOCK = re.compile(r"^lock_[^.]*$|\.lock$")
"""AITER's compiler makes lock_NAME, which has no ending; lock_utils.py is a module."""
_JIT = re.compile(r"/(jit|\.aiter|\.triton|torch_extensions|torchinductor_[^/]+)(/|$)")
_DEFINES = ("libc.so", "libstdc++.so", "libibverbs.so")
_MACHINES = {"x86_64": 62, "aarch64": 183}
_LEAST = 24
_SITE = re.compile(r"/(?:site|dist)-packages/")


def keeps(path: str) -> bool:
    """Whether a walk reads this file again at its end."""
    return path in ("/etc/passwd", "/etc/group", "/etc/ld.so.cache") or path.startswith(
        ("/etc/ld.so.conf", "/etc/ld-musl-")
    )


class Walk:
    """What a walk over ``tree`` found."""

    def __init__(self, tree: Tree, options: Mapping[str, Any]) -> None:
        self._tree = tree
        self._checkouts: dict[str, str] = options.get("checkouts", {})
        site = options.get("site")
        self._site = None if site is None else [path.rstrip("/") for path in site if path]
        self._packages: dict[str, str] = options.get("packages", {})
        """Import name -> component, for components that are installed without their checkout."""
        self._env: dict[str, str] = options.get("env", {})
        self._arch: str = options.get("machine", "x86_64")
        self._kinds: dict[str, str] = {}
        self._defined: dict[str, list[str]] = {}
        self._bytes = 0
        self._count = 0
        self._leftovers: dict[str, dict[str, Any]] = {}
        self._objects: dict[str, dict[str, Any]] = {}
        self._unread: list[dict[str, Any]] = []
        self._unreadable: list[dict[str, str]] = []
        self._locks: list[str] = []
        self._ids: dict[str, str] = {}
        self._providers: list[dict[str, str]] = []
        for path, node, opened in tree.files():
            self._file(path, node, opened)
        linked = {path: one for path, one in self._objects.items() if "soname" in one}
        self.loader = loader.Loader(tree, linked, self._env.get("LD_LIBRARY_PATH", ""), self._arch)
        loader.judge(self.loader, linked, self._defined)
        self._managers = packages.facts(tree, self._objects)

    def result(self) -> dict[str, Any]:
        """All of it, as JSON takes it."""
        return {
            "bytes": self._bytes,
            "count": self._count,
            "leftovers": [{"kind": kind, **found} for kind, found in sorted(self._leftovers.items())],
            "objects": [self._objects[path] for path in sorted(self._objects)],
            "unread": self._unread,
            "unreadable": self._unreadable,
            "blas": blas.libraries(self._tree, self._objects, self._env),
            "tensile": blas.folders(self._tree),
            "loader": loader.facts(self._tree, self.loader),
            "managers": self._managers,
            "locks": sorted(self._locks),
            "amdgpu_ids": dict(sorted(self._ids.items())),
            "rdma_providers": self._providers,
        }

    def owner(self, path: str) -> str:
        """Whose a file is: a component's, an import name's, a folder's of /opt, or the system's."""
        for name, folder in self._checkouts.items():
            if path.startswith(folder + "/"):
                return name
        rest = self._in_site(path)
        if rest:
            package = rest.split("/", 1)[0].split(".", 1)[0]
            return self._packages.get(package, package)
        parts = path.split("/")
        return "/".join(parts[1:3]) if parts[1] == "opt" else "system"

    def _in_site(self, path: str) -> str:
        """The path below a folder of Python packages; empty where it lies elsewhere."""
        if self._site is None:
            found = _SITE.search(path)
            return path[found.end() :] if found else ""
        return next((path[len(folder) + 1 :] for folder in self._site if path.startswith(folder + "/")), "")

    def _leftover(self, folder: str) -> str:
        """The kind of leftover that a folder is, or lies in."""
        known = self._kinds.get(folder)
        if known is None:
            known = next((kind for kind, pattern in _LEFTOVERS if pattern.search(folder)), "")
            if known:
                self._leftovers.setdefault(known, {"bytes": 0, "paths": []})["paths"].append(folder)
            elif folder not in ("/", ""):
                known = self._leftover(posixpath.dirname(folder))
            self._kinds[folder] = known
        return known

    def _file(self, path: str, node: Node, opened: Callable[[], Source]) -> None:
        folder, name = posixpath.split(path)
        self._bytes += node.size
        self._count += 1
        if leftover := self._leftover(folder):
            self._leftovers[leftover]["bytes"] += node.size
        if _LOCK.search(name) and _JIT.search(folder) and not node.mode & 0o111:
            self._locks.append(path)
        if name == "amdgpu.ids":
            with opened() as source:
                self._ids[path] = source.read(0, 1 << 22).decode("utf-8", "replace")
        elif node.size >= _LEAST and (not _TEXT.search(name) or _PACKED.search(name)):
            try:
                with opened() as source:
                    self._examine(path, source)
            except OSError as error:
                self._unreadable.append({"path": path, "error": str(error)})

    def _examine(self, path: str, source: Source) -> None:
        head = source.read(0, 64)
        try:
            if head[:4] == b"\x7fELF":
                self._elf(path, source)
            elif head.startswith((fatbin.BUNDLE, fatbin.COMPRESSED)):
                self._add(path, source.size, "code object", list(fatbin.codes(source)), {})
            elif head.startswith(archives.KPACK):
                self._add(path, source.size, "code object", archives.kpack(source), {})
            elif found := archives.unread(path, head, source):
                self._unread.append(found)
        except (Unreadable, elf.Broken) as error:
            self._unreadable.append({"path": path, "error": str(error)})

    def _elf(self, path: str, source: Source) -> None:
        try:
            one = elf.Elf(source)
        except elf.Broken:
            raise
        except elf.NotElf:
            return  # for a machine of 32 bits or of the other byte order
        if one.machine == elf.AMDGPU:
            if one.end() > source.size:
                raise elf.Broken(f"broken ELF file: cut off at {source.size} bytes of {one.end()}")
            self._add(path, source.size, "code object", [fatbin.code_object(one)], {})
        elif one.linked and one.machine == _MACHINES.get(self._arch, one.machine):
            self._linked(path, source, one)

    def _linked(self, path: str, source: Source, one: elf.Elf) -> None:
        facts = {**elf.describe(one), "_versions": one.needed_versions()}
        found: list[fatbin.Code] = []
        offset, size, _ = one.sections.get(".hip_fatbin", (0, 0, False))
        try:
            found += fatbin.codes(source, offset, offset + size)
        except Unreadable as error:
            self._unreadable.append({"path": path, "error": str(error)})
        name = posixpath.basename(path)
        if not name.startswith("libhsa-runtime64"):  # it carries trap handlers for every GPU that there is
            outside = [
                code for start, end in one.data_ranges() for code in fatbin.codes(source, start, end, sure=False)
            ]
            if outside:
                facts["outside"] = sum(code.size for code in outside)
                found += outside
        if ".rocm_kpack_ref" in one.sections:
            facts["kpack"] = True
        if one.interpreter:
            facts["interpreter"] = one.interpreter
        owner = self.owner(path)
        if owner in self._checkouts or any(need.startswith("libtorch") for need in facts["needed"]):
            facts["pybind11"] = sorted({text.decode() for text in _PYBIND.findall(one.section(".rodata"))})
        if versions := one.versions_defined():
            self._defined[path] = versions
            if name.startswith(_DEFINES):
                facts["versions_defined"] = versions
        if name.startswith("libdrm_amdgpu"):
            rodata = one.section(".rodata")
            facts["amdgpu_ids"] = sorted({text.decode() for text in _IDS.findall(rodata)})
            facts["amdgpu_names"] = b"MI300X" in rodata
        if provider := _PROVIDER.search(name):
            self._providers.append({"path": path, "name": provider.group(1), "abi": provider.group(2)})
        self._add(path, source.size, "program" if one.program else "shared object", found, facts)

    def _add(self, path: str, size: int, kind: str, found: list[fatbin.Code], facts: dict[str, Any]) -> None:
        archs: dict[str, int] = {}
        targets: dict[str, int] = {}
        for code in found:
            archs[code.arch] = archs.get(code.arch, 0) + code.size
            targets[code.target] = targets.get(code.target, 0) + code.size
        record = {"path": path, "bytes": size, "owner": self.owner(path), "kind": kind, "archs": archs}
        record["targets"] = targets
        if any(code.compressed for code in found):
            record["compressed"] = True
        self._objects[path] = {**record, **facts}
