"""Bytes that are read where they lie: a file of gigabytes is never in memory, mapped or not."""

from __future__ import annotations

import os
from typing import Sequence, TypeVar

S = TypeVar("S", bound="Source")

_SMALL, _LARGE = 1 << 13, 1 << 22


class Source:
    """A file, by offset. Reading beyond its end gives less, as with files."""

    def __init__(self, path: str) -> None:
        self._file = os.open(path, os.O_RDONLY)
        self.size = os.fstat(self._file).st_size

    def read(self, start: int, count: int) -> bytes:
        """Up to ``count`` bytes from ``start`` on."""
        return os.pread(self._file, count, start) if start >= 0 and count > 0 else b""

    def close(self) -> None:
        """Give the file back."""
        os.close(self._file)

    def __enter__(self: S) -> S:  # noqa: PYI019 (typing.Self is Python 3.11's)
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class Memory(Source):
    """The same of bytes in memory."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self.size = len(data)

    def read(self, start: int, count: int) -> bytes:
        return self._data[start : start + count] if start >= 0 and count > 0 else b""

    def close(self) -> None:
        pass


def find(source: Source, needles: Sequence[bytes], start: int, end: int) -> int:
    """Where the first of ``needles`` begins between ``start`` and ``end``, -1 where there is none.

    It reads little first, more the longer it finds nothing: what lies close by is cheap, and the whole stays linear.
    """
    overlap = max(len(needle) for needle in needles) - 1
    step = _SMALL
    while start < end:
        chunk = source.read(start, min(step + overlap, end - start))
        if not chunk:
            return -1
        places = [at for at in map(chunk.find, needles) if at >= 0]
        if places:
            return start + min(places)
        start += step
        step = min(step * 8, _LARGE)
    return -1
