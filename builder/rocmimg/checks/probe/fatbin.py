"""GPU code in files: clang's offload bundles, compressed or not, and code objects that stand alone.

Formats: clang/docs/ClangOffloadBundler.rst (bundles; CCOB versions 1 to 3) and llvm/docs/AMDGPUUsage.rst (e_flags).
Bundles say how long they are: from one the reader goes to the next, and of each it reads the table of contents only.
"""

from __future__ import annotations

import re
import struct
from typing import Callable, Iterator, NamedTuple

from . import elf
from .machines import SPIRV, machine, target
from .source import Memory, Source, find
from .unpack import Inflating, Stream, Unreadable

BUNDLE = b"__CLANG_OFFLOAD_BUNDLE__"
COMPRESSED = b"CCOB"
CODE_OBJECT = elf.MAGIC + b"\x01\x40"
"""The beginning of an ELF file for AMD's HSA."""

_NEEDLES = (BUNDLE, COMPRESSED, CODE_OBJECT)
_GFX = re.compile(r"gfx[0-9a-z]+(?:-[0-9]+)*(?:-(?:generic|strict))?(?::[a-z]+[+-])*")
_CCOB = {1: ("<I", 20), 2: ("<II", 24), 3: ("<QQ", 32)}
"""Version -> the sizes behind the method, and where the content begins."""
_MOST_ENTRIES, _LONGEST_NAME = 1 << 12, 1 << 10


class Code(NamedTuple):
    """The code for one target in one bundle."""

    target: str
    """With features: gfx90a:sramecc+:xnack-."""
    size: int
    """Bytes, unpacked."""
    compressed: bool

    @property
    def arch(self) -> str:
        """The target without its features."""
        return self.target.partition(":")[0]


def codes(source: Source | bytes, start: int = 0, end: int | None = None, *, sure: bool = True) -> Iterator[Code]:
    """The GPU code between ``start`` and ``end`` of a file.

    ``sure``: it is there to hold GPU code, like ``.hip_fatbin``, so what looks like it and cannot be read is
    Unreadable. Elsewhere such a place is something else: programs that read bundles have their marks as strings.
    """
    source = Memory(source) if isinstance(source, bytes) else source
    end = source.size if end is None else min(end, source.size)
    at = find(source, _NEEDLES, start, end)
    while at >= 0:
        try:
            after, found = _read(source, at, end)
        except Unreadable:
            if sure:
                raise
            after, found = at + 1, []
        yield from found
        at = find(source, _NEEDLES, after, end)


def _read(source: Source, at: int, end: int) -> tuple[int, list[Code]]:
    """Where the thing at ``at`` ends, and the code in it."""
    mark = source.read(at, len(BUNDLE))
    if mark == BUNDLE:
        return _bundle(source, at, end)
    if mark.startswith(COMPRESSED):
        return _compressed(source, at, end)
    return _code_object(source, at, end)


def _code_object(source: Source, at: int, end: int) -> tuple[int, list[Code]]:
    try:
        one = elf.Elf(_Part(source, at, end))
    except elf.NotElf as error:
        raise Unreadable(str(error)) from None
    if one.machine != elf.AMDGPU:
        raise Unreadable("an ELF file of AMD's HSA for another machine")
    found = code_object(one)
    return at + max(found.size, len(CODE_OBJECT)), [found]


def code_object(one: elf.Elf) -> Code:
    """A code object that was read as an ELF file."""
    return Code(target(one.flags, one.abi), one.end(), False)


def _bundle(source: Source, at: int, end: int) -> tuple[int, list[Code]]:
    after, found = at + len(BUNDLE), []
    for name, offset, size in _Table(lambda start, count: source.read(at + start, min(count, end - at - start))):
        after = max(after, at + offset + size)
        if after > end:
            raise Unreadable("an offload bundle is cut off")
        if said := _target(name):
            found.append(Code(_checked(said, source.read(at + offset, 64)), size, False))
    return after, found


def _compressed(source: Source, at: int, end: int) -> tuple[int, list[Code]]:
    head = source.read(at, min(32, end - at))
    try:
        version, method = struct.unpack_from("<HH", head, 4)
        if version not in _CCOB:
            raise Unreadable(f"compressed offload bundle of version {version}")
        layout, begin = _CCOB[version]
        sizes = struct.unpack_from(layout, head, 8)
    except struct.error:
        raise Unreadable("a compressed offload bundle is cut off") from None
    after = at + sizes[0] if version > 1 else end
    if after > end or after < at + begin:
        raise Unreadable("a compressed offload bundle is cut off")
    if method not in (0, 1):
        raise Unreadable(f"compressed offload bundle of method {method}")
    with (_zstd if method else Inflating)(source, at + begin, after) as stream:
        found = _unpacked(stream.more)
        # Version 1 does not say how long it is.
        return (after if version > 1 else stream.end()), found


def _zstd(source: Source, start: int, end: int) -> Stream:
    try:
        from .zstd import Zstd
    except ImportError as error:
        raise Unreadable(f"compressed by zstd, and this Python has no ctypes to read it: {error}") from None
    return Zstd(source, start, end)


def _unpacked(more: Callable[[], bytes]) -> list[Code]:
    content = bytearray()

    def read(start: int, count: int) -> bytes:
        while len(content) < start + count and (piece := more()):
            content.extend(piece)
        return bytes(content[start : start + count])

    return [Code(said, size, True) for name, _, size in _Table(read) if (said := _target(name))]


class _Table:
    """(name, offset, size) of each entry of the bundle whose bytes ``read`` gives. Raises Unreadable."""

    def __init__(self, read: Callable[[int, int], bytes]) -> None:
        self._get = read

    def __iter__(self) -> Iterator[tuple[str, int, int]]:
        if self._read(0, len(BUNDLE)) != BUNDLE:
            raise Unreadable("a compressed offload bundle holds something else")
        at = len(BUNDLE)
        (count,) = struct.unpack("<Q", self._read(at, 8))
        if count > _MOST_ENTRIES:
            raise Unreadable(f"an offload bundle claims {count} entries")
        at += 8
        for _ in range(count):
            offset, size, length = struct.unpack("<QQQ", self._read(at, 24))
            if length > _LONGEST_NAME:
                raise Unreadable(f"an offload bundle claims a name of {length} bytes")
            yield self._read(at + 24, length).decode("utf-8", "replace"), offset, size
            at += 24 + length

    def _read(self, start: int, count: int) -> bytes:
        data = self._get(start, count)
        if len(data) != count:
            raise Unreadable("an offload bundle is cut off")
        return data


class _Part(Source):
    """A range of another source."""

    def __init__(self, source: Source, start: int, end: int) -> None:
        self._source, self._start = source, start
        self.size = end - start

    def read(self, start: int, count: int) -> bytes:
        return self._source.read(self._start + start, min(count, self.size - start)) if start >= 0 else b""

    def close(self) -> None:
        pass


def _target(name: str) -> str:
    """The GPU target in an entry's name; empty for the host's entry."""
    if SPIRV in name:
        return SPIRV
    found = _GFX.search(name)
    return found.group() if found else ""


def _checked(name: str, head: bytes) -> str:
    """The table's name, or what the code object itself says where that is something else."""
    if head[:6] != elf.MAGIC or len(head) < 52:  # noqa: PLR2004
        return name
    (flags,) = struct.unpack_from("<I", head, 48)
    said = machine(flags)
    if said == name.partition(":")[0] or said.startswith("unknown"):
        return name
    return target(flags, head[8])
