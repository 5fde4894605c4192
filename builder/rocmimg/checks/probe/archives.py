"""GPU code that is packed: kernel packs of ROCm are read by their table of contents, other archives are named.

TheRock's ``.kpack``: "KPAK", version, offset of a MessagePack table: {toc: {binary: {arch: {size or original_size}}}}.
"""

from __future__ import annotations

import io
import posixpath
import re
import struct
import zipfile
from typing import Any, Iterator

from .fatbin import Code
from .machines import GENERIC, MACHINES
from .source import Source
from .unpack import Unreadable

KPACK = b"KPAK"
_AKS2 = b"AKS2"
_ZIP = b"PK\x03\x04"
_SQLITE = b"SQLite format 3\0"
_TOC_LIMIT = 1 << 26
_ZIPPED = (".zip", ".whl", ".egg", ".pt2")
_KERNEL = re.compile(r"\.(hsaco|co|kpack)$")
_PACKED_KERNEL = re.compile(r"\.(hsaco|co)\.(gz|xz|zst|bz2|lz4|zlib)$")
_NAMES = sorted((*MACHINES.values(), *GENERIC), key=len, reverse=True)
_ARCH = re.compile("(?:" + "|".join(map(re.escape, _NAMES)) + r")(?![0-9]*-generic)")


def archs_in(name: str) -> list[str]:
    """The architectures that a file's or folder's name speaks of."""
    return sorted(set(_ARCH.findall(name)))


def kpack(source: Source) -> list[Code]:
    """What a kernel pack holds. Raises Unreadable."""
    try:
        version, at = struct.unpack("<IQ", source.read(4, 12))
        if version != 1:
            raise Unreadable(f"a kernel pack of version {version}")
        if at >= source.size or source.size - at > _TOC_LIMIT:
            raise Unreadable("a kernel pack is cut off")
        table = _Packed(source.read(at, source.size - at)).value()
        return [
            Code(arch, int(one.get("original_size", one.get("size", 0))), "original_size" in one)
            for binary in table["toc"].values()
            for arch, one in binary.items()
        ]
    except (struct.error, LookupError, AttributeError, TypeError, ValueError, RecursionError) as error:
        if isinstance(error, Unreadable):
            raise
        raise Unreadable(f"a kernel pack is broken: {type(error).__name__}: {error}") from None


class _Packed:
    """MessagePack, as much as tables of contents use."""

    def __init__(self, data: bytes) -> None:
        self._data, self._at = data, 0

    def _number(self, layout: str) -> Any:
        size = struct.calcsize(layout)
        (value,) = struct.unpack_from(layout, self._data, self._at)
        self._at += size
        return value

    def _bytes(self, size: int) -> bytes:
        if self._at + size > len(self._data):
            raise Unreadable("a kernel pack is cut off")
        self._at += size
        return self._data[self._at - size : self._at]

    def value(self) -> Any:
        """The next value."""
        kind = self._number(">B")
        if kind < 0x80:  # noqa: PLR2004
            return kind
        if kind < 0x90:  # noqa: PLR2004
            return self._map(kind & 15)
        if kind < 0xA0:  # noqa: PLR2004
            return [self.value() for _ in range(kind & 15)]
        if kind < 0xC0:  # noqa: PLR2004
            return self._bytes(kind & 31).decode()
        if kind >= 0xE0:  # noqa: PLR2004
            return kind - 256
        if kind in _FIXED:
            return _FIXED[kind]
        if kind in _NUMBERS:
            return self._number(_NUMBERS[kind])
        layout, what = _SIZED[kind]
        size = self._number(layout)
        if what == "map":
            return self._map(size)
        if what == "array":
            return [self.value() for _ in range(size)]
        data = self._bytes(size)
        return data.decode() if what == "str" else data

    def _map(self, size: int) -> dict[Any, Any]:
        found = {}
        for _ in range(size):
            name = self.value()
            found[name] = self.value()
        return found


_FIXED = {0xC0: None, 0xC2: False, 0xC3: True}
_NUMBERS = {
    0xCA: ">f", 0xCB: ">d", 0xCC: ">B", 0xCD: ">H", 0xCE: ">I", 0xCF: ">Q", 0xD0: ">b", 0xD1: ">h", 0xD2: ">i",
    0xD3: ">q",
}  # fmt: skip
_SIZED = {
    0xC4: (">B", "bin"), 0xC5: (">H", "bin"), 0xC6: (">I", "bin"), 0xD9: (">B", "str"), 0xDA: (">H", "str"),
    0xDB: (">I", "str"), 0xDC: (">H", "array"), 0xDD: (">I", "array"), 0xDE: (">H", "map"), 0xDF: (">I", "map"),
}  # fmt: skip


def unread(path: str, head: bytes, source: Source) -> dict[str, Any] | None:
    """What kind of packed GPU code this is that is not read; None for everything else."""
    name = posixpath.basename(path)
    kind, archs = "", set(archs_in(name) or archs_in(path))
    if head.startswith(_AKS2):
        kind = "AOTriton's archive of kernels"
    elif head.startswith(_SQLITE) and name.endswith(".kdb"):
        kind = "MIOpen's database of kernels"
    elif _PACKED_KERNEL.search(name):
        kind = "a compressed code object"
    elif head.startswith(_ZIP) and name.endswith(_ZIPPED):
        kernels = [one for one in _zip_names(source) if _KERNEL.search(one)]
        archs |= {arch for one in kernels for arch in archs_in(one)}
        kind = f"an archive of {len(kernels)} code objects" if kernels else ""
    elif name.endswith(".hsaco") or (name.endswith(".co") and b"\0" in head):
        kind = "neither a code object nor an offload bundle"
    return {"path": path, "bytes": source.size, "kind": kind, "archs": sorted(archs)} if kind else None


def _zip_names(source: Source) -> Iterator[str]:
    try:
        with zipfile.ZipFile(io.BufferedReader(_File(source))) as archive:
            yield from archive.namelist()
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError):
        return


class _File(io.RawIOBase):
    """A source as Python's own libraries want a file."""

    def __init__(self, source: Source) -> None:
        self._source, self._at = source, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = 0) -> int:
        self._at = offset + (0, self._at, self._source.size)[whence]
        return self._at

    def tell(self) -> int:
        return self._at

    def readinto(self, buffer: Any) -> int:
        data = self._source.read(self._at, len(buffer))
        buffer[: len(data)] = data
        self._at += len(data)
        return len(data)
