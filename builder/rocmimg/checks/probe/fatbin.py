"""GPU code in files: clang's offload bundles, compressed or not, and code objects that stand alone.

Formats: clang/docs/ClangOffloadBundler.rst (bundles; CCOB versions 1 to 3) and llvm/docs/AMDGPUUsage.rst (e_flags).
A compressed bundle is unpacked only as far as its table of contents.
"""

from __future__ import annotations

import ctypes
import ctypes.util
import re
import struct
import zlib
from typing import Iterator, NamedTuple

from . import elf

BUNDLE = b"__CLANG_OFFLOAD_BUNDLE__"
COMPRESSED = b"CCOB"
MACHINES = {
    0x2C: "gfx900", 0x2F: "gfx906", 0x30: "gfx908", 0x3F: "gfx90a", 0x40: "gfx940", 0x4B: "gfx941", 0x4C: "gfx942",
    0x4F: "gfx950", 0x33: "gfx1010", 0x34: "gfx1011", 0x35: "gfx1012", 0x36: "gfx1030", 0x37: "gfx1031",
    0x38: "gfx1032", 0x39: "gfx1033", 0x3E: "gfx1034", 0x3D: "gfx1035", 0x45: "gfx1036", 0x41: "gfx1100",
    0x46: "gfx1101", 0x47: "gfx1102", 0x44: "gfx1103", 0x43: "gfx1150", 0x4A: "gfx1151", 0x55: "gfx1152",
    0x58: "gfx1153", 0x48: "gfx1200", 0x4E: "gfx1201", 0x49: "gfx1250", 0x5A: "gfx1251", 0x51: "gfx9-generic",
    0x52: "gfx10-1-generic", 0x53: "gfx10-3-generic", 0x54: "gfx11-generic", 0x59: "gfx12-generic",
    0x5F: "gfx9-4-generic",
}  # fmt: skip
"""EF_AMDGPU_MACH -> name."""

_GFX = re.compile(rb"gfx[0-9a-z]+(?:-[0-9]+)*(?:-generic)?")
_TABLE_LIMIT = 1 << 20
_STEP = 1 << 16


class Unreadable(ValueError):
    """A bundle that this interpreter cannot unpack."""


class Code(NamedTuple):
    """The code for one GPU architecture in one bundle."""

    arch: str
    size: int
    """Bytes, unpacked."""
    compressed: bool


def machine(flags: int) -> str:
    """The architecture of a code object by its e_flags."""
    return MACHINES.get(flags & 0xFF, "unknown (0x%02x)" % (flags & 0xFF))


def codes(data: bytes) -> Iterator[Code]:
    """The GPU code in a ``.hip_fatbin`` section or in a file of its own. Raises Unreadable."""
    if data[:4] == b"\x7fELF":
        try:
            one = elf.Elf(data)
        except elf.NotElf as error:
            raise Unreadable(str(error)) from None
        if one.machine == elf.AMDGPU:
            yield Code(machine(one.flags), len(data), False)
        return
    at = _next(data, 0)
    while at >= 0:
        if data.startswith(BUNDLE, at):
            end = at + len(BUNDLE)
            for name, offset, size in _table(data, at):
                end = max(end, at + offset + size)
                if found := _GFX.search(name):
                    yield Code(_checked(found.group().decode(), data[at + offset : at + offset + 64]), size, False)
        else:
            end, content = _unpack(data, at)
            for name, _, size in _table(content, 0):
                if found := _GFX.search(name):
                    yield Code(found.group().decode(), size, True)
        at = _next(data, end)


def _next(data: bytes, start: int) -> int:
    places = [at for at in (data.find(BUNDLE, start), data.find(COMPRESSED, start)) if at >= 0]
    return min(places) if places else -1


def _checked(name: str, head: bytes) -> str:
    """The table's name, or what the code object itself says where that is something else."""
    if head[:4] != b"\x7fELF" or len(head) < 52:  # noqa: PLR2004
        return name
    said = machine(struct.unpack_from("<I", head, 48)[0])
    return name if said == name or said.startswith("unknown") else said


def _table(data: bytes, at: int) -> Iterator[tuple[bytes, int, int]]:
    """(name, offset, size) of each entry of the bundle at ``at``."""
    try:
        if data[at : at + len(BUNDLE)] != BUNDLE:
            raise Unreadable("no offload bundle")
        at += len(BUNDLE)
        (count,) = struct.unpack_from("<Q", data, at)
        at += 8
        for _ in range(count):
            offset, size, length = struct.unpack_from("<QQQ", data, at)
            at += 24
            if at + length > len(data):
                raise Unreadable("an offload bundle is cut off")
            yield data[at : at + length], offset, size
            at += length
    except struct.error:
        raise Unreadable("an offload bundle is cut off") from None


def _unpack(data: bytes, at: int) -> tuple[int, bytes]:
    """Where the compressed bundle at ``at`` ends, and the beginning of its content."""
    try:
        version, method = struct.unpack_from("<HH", data, at + 4)
        if version == 1:
            start, total = at + 20, 0
        elif version == 2:  # noqa: PLR2004
            start, total = at + 24, struct.unpack_from("<I", data, at + 8)[0]
        elif version == 3:  # noqa: PLR2004
            start, total = at + 32, struct.unpack_from("<Q", data, at + 8)[0]
        else:
            raise Unreadable(f"compressed offload bundle of version {version}")
    except struct.error:
        raise Unreadable("a compressed offload bundle is cut off") from None
    body = data[start : at + total if total else len(data)]
    if method == 0:
        return _inflate(body, start, at + total if total else 0)
    if method == 1:
        return at + total if total else start + _zstd_frame(body), _zstd(body)
    raise Unreadable(f"compressed offload bundle of method {method}")


def _inflate(body: bytes, start: int, end: int) -> tuple[int, bytes]:
    unpacker = zlib.decompressobj()
    try:
        head = unpacker.decompress(body, _TABLE_LIMIT)
        if not end:
            while not unpacker.eof and unpacker.unconsumed_tail:
                unpacker.decompress(unpacker.unconsumed_tail, _TABLE_LIMIT)
            end = start + len(body) - len(unpacker.unused_data)
    except zlib.error as error:
        raise Unreadable(f"a compressed offload bundle is broken: {error}") from None
    return end, head


class _Buffer(ctypes.Structure):
    _fields_ = (("data", ctypes.c_void_p), ("size", ctypes.c_size_t), ("pos", ctypes.c_size_t))


def _libzstd() -> ctypes.CDLL:
    for name in ("libzstd.so.1", ctypes.util.find_library("zstd")):
        try:
            library = ctypes.CDLL(name) if name else None
        except OSError:
            continue
        if library:
            library.ZSTD_createDStream.restype = ctypes.c_void_p
            library.ZSTD_freeDStream.argtypes = [ctypes.c_void_p]
            library.ZSTD_decompressStream.restype = ctypes.c_size_t
            library.ZSTD_decompressStream.argtypes = [ctypes.c_void_p, ctypes.POINTER(_Buffer), ctypes.POINTER(_Buffer)]
            library.ZSTD_findFrameCompressedSize.restype = ctypes.c_size_t
            library.ZSTD_findFrameCompressedSize.argtypes = [ctypes.c_char_p, ctypes.c_size_t]
            library.ZSTD_isError.argtypes = [ctypes.c_size_t]
            return library
    raise Unreadable("zstd, and there is no libzstd.so.1")


def _zstd(body: bytes) -> bytes:
    """The beginning of a zstd stream's content."""
    library = _libzstd()
    stream = library.ZSTD_createDStream()
    source = ctypes.create_string_buffer(body, len(body))
    target = ctypes.create_string_buffer(_STEP)
    given = _Buffer(ctypes.addressof(source), len(body), 0)
    content = bytearray()
    try:
        while given.pos < given.size and len(content) < _TABLE_LIMIT:
            taken = _Buffer(ctypes.addressof(target), _STEP, 0)
            left = library.ZSTD_decompressStream(stream, ctypes.byref(taken), ctypes.byref(given))
            if library.ZSTD_isError(left):
                raise Unreadable("a compressed offload bundle is broken: zstd")
            content += target.raw[: taken.pos]
            if not left:
                break
    finally:
        library.ZSTD_freeDStream(stream)
    return bytes(content)


def _zstd_frame(body: bytes) -> int:
    library = _libzstd()
    size = library.ZSTD_findFrameCompressedSize(body, len(body))
    if library.ZSTD_isError(size):
        raise Unreadable("a compressed offload bundle is broken: zstd")
    return int(size)
