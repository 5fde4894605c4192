"""As much of ELF as the probe needs: an image has thousands of files of it and no library that reads them.

64-bit little-endian only, which is all that ROCm runs on. ``tests/unit/checks`` compares it with pyelftools.
"""

from __future__ import annotations

import functools
import struct
from typing import Any, Callable, Iterator, NamedTuple, TypeVar

from .source import Memory, Source

T = TypeVar("T")

MAGIC = b"\x7fELF\x02\x01"
AMDGPU = 224
"""e_machine of GPU code."""

_EHDR = struct.Struct("<16sHHIQQQIHHHHHH")
_PHDR = struct.Struct("<IIQQQQQQ")
_SHDR = struct.Struct("<IIQQQQIIQQ")
_DYN = struct.Struct("<qQ")
_VERNEED = struct.Struct("<HHIII")
_VERNAUX = struct.Struct("<IHHII")
_VERDEF = struct.Struct("<HHHHIII")
_PT_LOAD, _PT_DYNAMIC, _PT_INTERP, _PT_NOTE = 1, 2, 3, 4
_SHT_NOBITS = 8
_SHF_ALLOC, _SHF_EXECUTE = 2, 4
_ET_EXEC, _ET_DYN = 2, 3
_DT_NEEDED, _DT_STRTAB, _DT_SONAME, _DT_RPATH, _DT_RUNPATH, _DT_FLAGS_1 = 1, 5, 14, 15, 29, 0x6FFFFFFB
_DT_VERDEF, _DT_VERDEFNUM, _DT_VERNEED, _DT_VERNEEDNUM = 0x6FFFFFFC, 0x6FFFFFFD, 0x6FFFFFFE, 0x6FFFFFFF
_DF_1_PIE = 0x08000000
_NT_GNU_BUILD_ID = 3
_MOST = 1 << 20
"""Bytes of a table that are believed: no real one has more."""


class NotElf(ValueError):
    """No ELF file of this kind."""


class Broken(NotElf):
    """An ELF file whose parts do not fit together."""


class Section(NamedTuple):
    """Where a section's bytes lie in the file."""

    offset: int
    size: int
    data: bool
    """Mapped for reading, not for running."""


def _damage_is_broken(read: Callable[..., T]) -> Callable[..., T]:
    @functools.wraps(read)
    def guarded(*args: Any) -> T:
        try:
            return read(*args)
        except (struct.error, IndexError, OverflowError) as error:
            raise Broken(f"broken ELF file: {error}") from None

    return guarded


class Elf:
    """One ELF file. Raises NotElf, Broken."""

    def __init__(self, source: Source | bytes) -> None:
        self.source = Memory(source) if isinstance(source, bytes) else source
        start = self.source.read(0, _EHDR.size)
        if len(start) < _EHDR.size or start[:6] != MAGIC:
            raise NotElf("no 64-bit little-endian ELF file")
        head = _EHDR.unpack(start)
        self.abi: int = head[0][8]
        self.type: int = head[1]
        self.machine: int = head[2]
        self.flags: int = head[7]
        self._read(head)

    @_damage_is_broken
    def _read(self, head: tuple[int, ...]) -> None:
        self._segments = self._table(_PHDR, head[5], head[9], head[10])
        self._tables_end: int = head[6] + head[11] * head[12]
        self.sections: dict[str, Section] = {}
        self.debug_only = False
        self._read_sections(head[6], head[11], head[12], head[13])
        for kind, _, offset, _, _, size, _, _ in self._segments:
            if kind == _PT_LOAD and not self.debug_only and offset + size > self.source.size:
                raise Broken(f"broken ELF file: cut off at {self.source.size} bytes of {offset + size}")
        self._read_dynamic()

    def _table(self, layout: struct.Struct, at: int, size: int, count: int) -> list[tuple[Any, ...]]:
        if not count:
            return []
        if size < layout.size or size * count > _MOST:
            raise Broken("broken ELF file: a table has an impossible size")
        data = self.source.read(at, size * count)
        return [layout.unpack_from(data, i * size) for i in range(count)]

    def _read_sections(self, at: int, size: int, count: int, names: int) -> None:
        if not at or not count:
            return
        headers = self._table(_SHDR, at, size, count)
        table = headers[names] if names < count else None
        text = self.source.read(table[4], min(table[5], _MOST)) if table else b""
        for name, kind, flags, _, offset, length, *_ in headers:
            end = text.find(b"\0", name)
            if end < 0 and text:
                raise Broken("broken ELF file: a name has no end")
            title = text[name:end].decode("utf-8", "replace")
            if kind == _SHT_NOBITS:
                # The twin of a stripped library, for debuggers: its tables say where the bytes are in the other file.
                self.debug_only = self.debug_only or title == ".dynamic"
            elif kind:
                wanted = bool(flags & _SHF_ALLOC) and not flags & _SHF_EXECUTE
                self.sections[title] = Section(offset, length, wanted)

    def _text(self, at: int) -> str:
        length = 128
        while True:
            data = self.source.read(at, length)
            found, zero, _ = data.partition(b"\0")
            if zero:
                return found.decode("utf-8", "replace")
            if len(data) < length or length > _MOST:
                raise Broken("broken ELF file: a name has no end")
            length *= 8

    def _offset(self, address: int) -> int:
        for kind, _, offset, start, _, size, _, _ in self._segments:
            if kind == _PT_LOAD and start <= address < start + size:
                return int(offset + address - start)
        raise Broken("broken ELF file: an address lies outside of it")

    def _read_dynamic(self) -> None:
        entries: list[tuple[int, int]] = []
        for kind, _, offset, _, _, size, _, _ in self._segments:
            if kind == _PT_DYNAMIC and not self.debug_only:
                data = self.source.read(offset, min(size, _MOST))
                if len(data) < min(size, _MOST):
                    raise Broken("broken ELF file: its dynamic section is cut off")
                for at in range(0, len(data) - _DYN.size + 1, _DYN.size):
                    tag, value = _DYN.unpack_from(data, at)
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
        self.pie = bool(first.get(_DT_FLAGS_1, 0) & _DF_1_PIE)
        self._verneed = (first.get(_DT_VERNEED), first.get(_DT_VERNEEDNUM, 0))
        self._verdef = (first.get(_DT_VERDEF), first.get(_DT_VERDEFNUM, 0))

    @property
    def interpreter(self) -> str:
        """The loader that a program names."""
        for kind, _, offset, *_ in self._segments:
            if kind == _PT_INTERP:
                return self._text(offset)
        return ""

    @property
    def program(self) -> bool:
        """Whether it is started, not loaded."""
        return self.type == _ET_EXEC or (
            self.type == _ET_DYN and (self.pie or bool(self.interpreter and not self.soname))
        )

    @property
    def linked(self) -> bool:
        """Whether it can be started or loaded: no object file of a compiler, no core dump, no debug information."""
        return self.type in (_ET_EXEC, _ET_DYN) and not self.debug_only

    def _linked(self, layout: struct.Struct, at: int, count: int) -> Iterator[tuple[int, tuple[int, ...]]]:
        """Offset and fields of up to ``count`` records, each of which ends with the distance to the next."""
        for _ in range(count):
            fields = layout.unpack(self.source.read(at, layout.size))
            yield at, fields
            if not fields[-1]:
                return
            at += fields[-1]

    @_damage_is_broken
    def needed_versions(self) -> dict[str, list[str]]:
        """Library -> symbol versions that it must have, for instance libc.so.6 -> GLIBC_2.34."""
        address, count = self._verneed
        if address is None:
            return {}
        found: dict[str, list[str]] = {}
        for at, library in self._linked(_VERNEED, self._offset(address), count):
            names = found.setdefault(self._text(self._strings + library[2]), [])
            for _, one in self._linked(_VERNAUX, at + library[3], library[1]):
                weak = one[1] & 2
                if not weak:
                    names.append(self._text(self._strings + one[3]))
        return found

    def versions_needed(self) -> list[str]:
        """The same without the libraries."""
        return [name for names in self.needed_versions().values() for name in names]

    @_damage_is_broken
    def versions_defined(self) -> list[str]:
        """Symbol versions that this library has."""
        address, count = self._verdef
        if address is None:
            return []
        return [
            self._text(self._strings + struct.unpack("<I", self.source.read(at + one[5], 4))[0])
            for at, one in self._linked(_VERDEF, self._offset(address), count)
        ]

    @_damage_is_broken
    def build_id(self) -> str:
        """The linker's fingerprint as hexadecimal digits; empty where there is none."""
        for kind, _, offset, _, _, size, _, _ in self._segments:
            if kind != _PT_NOTE:
                continue
            data = self.source.read(offset, min(size, _MOST))
            at = 0
            while at + 12 <= len(data):
                names, length, note = struct.unpack_from("<III", data, at)
                start = at + 12 + (names + 3) // 4 * 4
                if note == _NT_GNU_BUILD_ID and data[at + 12 : at + 16] == b"GNU\0":
                    return data[start : start + length].hex()
                at = start + (length + 3) // 4 * 4
        return ""

    def section(self, name: str) -> bytes:
        """A section's bytes; empty where there is none."""
        offset, size, _ = self.sections.get(name, (0, 0, False))
        return self.source.read(offset, size)

    def data_ranges(self) -> list[tuple[int, int]]:
        """Begin and end, in the file, of what is neither code nor ``.hip_fatbin``."""
        if self.sections:
            wanted = [one for name, one in self.sections.items() if one.data and name != ".hip_fatbin"]
            return [(offset, offset + size) for offset, size, _ in wanted]
        return [(s[2], s[2] + s[5]) for s in self._segments if s[0] == _PT_LOAD and not s[1] & 1]

    def end(self) -> int:
        """Where the file ends, by its own tables."""
        ends = [one.offset + one.size for one in self.sections.values()]
        return max([self._tables_end, *ends, *(int(s[2] + s[5]) for s in self._segments)])


def describe(elf: Elf) -> dict[str, Any]:
    """What checks ask of a shared object or program."""
    return {
        "soname": elf.soname,
        "needed": elf.needed,
        "rpath": elf.rpath,
        "runpath": elf.runpath,
        "versions_needed": elf.versions_needed(),
        "build_id": elf.build_id(),
    }
