"""Compressed bytes that are read as far as they are needed: zlib."""

from __future__ import annotations

import zlib
from typing import TypeVar

from .source import Source

S = TypeVar("S", bound="Stream")

STEP = 1 << 16


class Unreadable(ValueError):
    """GPU code that this interpreter cannot read, or that is damaged."""


class Stream:
    """Compressed bytes that are read piece by piece; use it in a ``with`` block."""

    def __init__(self, source: Source, start: int, end: int) -> None:
        self._source, self._at, self._end = source, start, end

    def __enter__(self: S) -> S:  # noqa: PYI019 (typing.Self is Python 3.11's)
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def more(self) -> bytes:
        """The next piece of the content; empty at its end."""
        raise NotImplementedError

    def _left(self) -> int:
        """Bytes that were read and belong to what follows."""
        raise NotImplementedError

    def end(self) -> int:
        """Where in the file the stream ends; reads all of it."""
        while self.more():
            pass
        return self._at - self._left()


class Inflating(Stream):
    """zlib."""

    def __init__(self, source: Source, start: int, end: int) -> None:
        super().__init__(source, start, end)
        self._unpacker = zlib.decompressobj()

    def _left(self) -> int:
        return len(self._unpacker.unused_data)

    def more(self) -> bytes:
        content = b""
        while not content and not self._unpacker.eof and self._at < self._end:
            piece = self._source.read(self._at, min(STEP, self._end - self._at))
            if not piece:
                break
            self._at += len(piece)
            try:
                content = self._unpacker.decompress(piece)
            except zlib.error as error:
                raise Unreadable(f"a compressed offload bundle is broken: {error}") from None
        return content
