"""As much of ELF as the probe needs: an image has thousands of shared objects and no library that reads them.

64-bit little-endian only, which is all that ROCm runs on. ``tests/unit/checks`` holds it against pyelftools.
"""

from __future__ import annotations

import functools
import mmap
import struct
from typing import Any, Callable, Iterator, TypeVar

T = TypeVar("T")

AMDGPU = 224
"""e_machine of GPU code."""

_EHDR = struct.Struct("<16sHHIQQQIHHHHHH")
_PHDR = struct.Struct("<IIQQQQQQ")
_SHDR = struct.Struct("<IIQQQQIIQQ")
_DYN = struct.Struct("<qQ")
_VERNEED = struct.Struct("<HHIII")
_VERNAUX = struct.Struct("<IHHII")
_VERDEF = struct.Struct("<HHHHIII")
_PT_LOAD, _PT_DYNAMIC, _PT_NOTE = 1, 2, 4
_DT_NEEDED, _DT_STRTAB, _DT_SONAME, _DT_RPATH, _DT_RUNPATH = 1, 5, 14, 15, 29
_DT_VERDEF, _DT_VERDEFNUM, _DT_VERNEED, _DT_VERNEEDNUM = 0x6FFFFFFC, 0x6FFFFFFD, 0x6FFFFFFE, 0x6FFFFFFF
_NT_GNU_BUILD_ID = 3


class NotElf(ValueError):
    """No ELF file of this kind."""


class Broken(NotElf):
    """An ELF file whose parts do not fit together."""


def _damage_is_broken(read: Callable[..., T]) -> Callable[..., T]:
    @functools.wraps(read)
    def guarded(*args: Any) -> T:
        try:
            return read(*args)
        except (struct.error, IndexError, OverflowError) as error:
            raise Broken(f"broken ELF file: {error}") from None

    return guarded


class Elf:
    """One ELF file in memory. Raises NotElf, Broken."""

    def __init__(self, data: bytes | mmap.mmap) -> None:
        self.data = data
        if len(data) < _EHDR.size or data[:6] != b"\x7fELF\x02\x01":
            raise NotElf("no 64-bit little-endian ELF file")
        head = _EHDR.unpack_from(data, 0)
        self.machine: int = head[2]
        self.flags: int = head[7]
        self._read(head)

    @_damage_is_broken
    def _read(self, head: tuple[int, ...]) -> None:
        self._segments = [_PHDR.unpack_from(self.data, head[5] + i * head[9]) for i in range(head[10])]
        self.sections = self._read_sections(head[6], head[11], head[12], head[13])
        self._read_dynamic()

    def _read_sections(self, at: int, size: int, count: int, names: int) -> dict[str, tuple[int, int]]:
        if not at:
            return {}
        headers = [_SHDR.unpack_from(self.data, at + i * size) for i in range(count)]
        table = headers[names][4] if names < count else 0
        # Type 8 (NOBITS) has no bytes in the file.
        return {self._text(table + header[0]): (header[4], header[5]) for header in headers if header[1] != 8}  # noqa: PLR2004

    def _text(self, at: int) -> str:
        end = self.data.find(b"\0", at)
        if end < 0:
            raise Broken("broken ELF file: a name has no end")
        return self.data[at:end].decode("utf-8", "replace")

    def _offset(self, address: int) -> int:
        for kind, _, offset, start, _, size, _, _ in self._segments:
            if kind == _PT_LOAD and start <= address < start + size:
                return int(offset + address - start)
        raise Broken("broken ELF file: an address lies outside of it")

    def _read_dynamic(self) -> None:
        entries: list[tuple[int, int]] = []
        for kind, _, offset, _, _, size, _, _ in self._segments:
            if kind == _PT_DYNAMIC:
                for at in range(offset, offset + size, _DYN.size):
                    tag, value = _DYN.unpack_from(self.data, at)
                    if tag == 0:
                        break
                    entries.append((tag, value))
        first: dict[int, int] = {}
        for tag, value in entries:
            first.setdefault(tag, value)
        self._strings = self._offset(first[_DT_STRTAB]) if _DT_STRTAB in first else 0

        def texts(wanted: int) -> list[str]:
            return [self._text(self._strings + value) for tag, value in entries if tag == wanted]

        self.dynamic = bool(entries)
        self.needed = texts(_DT_NEEDED)
        self.soname = "".join(texts(_DT_SONAME))
        self.rpath = "".join(texts(_DT_RPATH))
        self.runpath = "".join(texts(_DT_RUNPATH))
        self._verneed = (first.get(_DT_VERNEED), first.get(_DT_VERNEEDNUM, 0))
        self._verdef = (first.get(_DT_VERDEF), first.get(_DT_VERDEFNUM, 0))

    def _linked(self, layout: struct.Struct, at: int, count: int) -> Iterator[tuple[int, tuple[int, ...]]]:
        """Offset and fields of up to ``count`` records, each of which ends with the distance to the next."""
        for _ in range(count):
            fields = layout.unpack_from(self.data, at)
            yield at, fields
            if not fields[-1]:
                return
            at += fields[-1]

    @_damage_is_broken
    def versions_needed(self) -> list[str]:
        """Symbol versions that other libraries must have, for instance GLIBC_2.34."""
        address, count = self._verneed
        if address is None:
            return []
        return [
            self._text(self._strings + one[3])
            for at, library in self._linked(_VERNEED, self._offset(address), count)
            for _, one in self._linked(_VERNAUX, at + library[3], library[1])
        ]

    @_damage_is_broken
    def versions_defined(self) -> list[str]:
        """Symbol versions that this library has."""
        address, count = self._verdef
        if address is None:
            return []
        return [
            self._text(self._strings + struct.unpack_from("<I", self.data, at + one[5])[0])
            for at, one in self._linked(_VERDEF, self._offset(address), count)
        ]

    @_damage_is_broken
    def build_id(self) -> str:
        """The linker's fingerprint as hexadecimal digits; empty where there is none."""
        for kind, _, offset, _, _, size, _, _ in self._segments:
            at, end = offset, offset + size
            while kind == _PT_NOTE and at + 12 <= end:
                names, length, note = struct.unpack_from("<III", self.data, at)
                start = at + 12 + (names + 3) // 4 * 4
                if note == _NT_GNU_BUILD_ID and self.data[at + 12 : at + 16] == b"GNU\0":
                    return self.data[start : start + length].hex()
                at = start + (length + 3) // 4 * 4
        return ""

    def section(self, name: str) -> bytes:
        """A section's bytes; empty where there is none."""
        offset, size = self.sections.get(name, (0, 0))
        return self.data[offset : offset + size]


def open_elf(path: str) -> Elf:
    """The ELF file at ``path``, mapped, not read. Raises NotElf, OSError."""
    with open(path, "rb") as file:
        if file.read(6) != b"\x7fELF\x02\x01":
            raise NotElf("no 64-bit little-endian ELF file")
        return Elf(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))


def describe(elf: Elf) -> dict[str, Any]:
    """What checks ask of a shared object."""
    return {
        "soname": elf.soname,
        "needed": elf.needed,
        "rpath": elf.rpath,
        "runpath": elf.runpath,
        "versions_needed": elf.versions_needed(),
        "build_id": elf.build_id(),
    }
