"""The same by the machine's libzstd: Python before 3.14 has none. Apart, as not every Python has ctypes."""

from __future__ import annotations

import ctypes
import ctypes.util
import functools
from typing import Any

from .source import Source
from .unpack import STEP, Stream, Unreadable


class _Buffer(ctypes.Structure):
    _fields_ = (("data", ctypes.c_void_p), ("size", ctypes.c_size_t), ("pos", ctypes.c_size_t))


@functools.lru_cache(None)
def _library() -> ctypes.CDLL:
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
            library.ZSTD_isError.argtypes = [ctypes.c_size_t]
            return library
    raise Unreadable("compressed by zstd, and there is no libzstd.so.1 to read it")


class Zstd(Stream):
    """zstd."""

    def __init__(self, source: Source, start: int, end: int) -> None:
        super().__init__(source, start, end)
        self._library = _library()
        self._stream: Any = self._library.ZSTD_createDStream()
        self._piece = b""
        self._given = _Buffer(None, 0, 0)
        self._target = ctypes.create_string_buffer(STEP)
        self._done = False

    def __exit__(self, *_: object) -> None:
        self._library.ZSTD_freeDStream(self._stream)

    def _left(self) -> int:
        return int(self._given.size - self._given.pos)

    def more(self) -> bytes:
        while not self._done:
            if self._given.pos >= self._given.size:
                self._piece = self._source.read(self._at, min(STEP, self._end - self._at))
                if not self._piece:
                    break
                self._at += len(self._piece)
                address = ctypes.cast(ctypes.c_char_p(self._piece), ctypes.c_void_p)
                self._given = _Buffer(address, len(self._piece), 0)
            taken = _Buffer(ctypes.addressof(self._target), STEP, 0)
            left = self._library.ZSTD_decompressStream(self._stream, ctypes.byref(taken), ctypes.byref(self._given))
            if self._library.ZSTD_isError(left):
                raise Unreadable("a compressed offload bundle is broken: zstd")
            self._done = left == 0
            if taken.pos:
                return self._target.raw[: taken.pos]
        return b""
