"""Bytes that remember where in the file they came from.

The shell inside a RUN is not the text of the file: continuations are joined, comments between them are dropped, quotes
and escapes of an outer shell are taken away. `MappedText` keeps, for each byte of the derived text, its offset in the
file, so that a finding deep inside ``bash -c '...'`` still points at the right line and column.
"""

from __future__ import annotations

import codecs
from bisect import bisect_right
from dataclasses import dataclass, field
from typing import Final

_PLACEHOLDER: Final = "rocmimg-placeholder"


def _placeholder(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeDecodeError):
        raise error
    return "?" * (error.end - error.start), error.end


codecs.register_error(_PLACEHOLDER, _placeholder)


@dataclass(frozen=True, slots=True)
class MappedText:
    """Derived text; byte ``starts[i] + k`` came from file offset ``origins[i] + k``."""

    data: bytes
    starts: tuple[int, ...]
    origins: tuple[int, ...]

    @classmethod
    def of(cls, data: bytes, origin: int) -> MappedText:
        """Text that stands in the file as it is."""
        return cls(data, (0,), (origin,))

    def origin(self, offset: int) -> int:
        """File offset of a byte of this text; the end of the text maps behind its last byte."""
        index = bisect_right(self.starts, offset) - 1
        return self.origins[index] + offset - self.starts[index]

    def cut(self, start: int, end: int) -> MappedText:
        """A part of this text."""
        if start >= end:
            return MappedText.of(b"", self.origin(start))
        builder = Builder()
        builder.add(self, start, end)
        return builder.done()


@dataclass(slots=True)
class Builder:
    """Joins pieces of mapped text."""

    _parts: list[bytes] = field(default_factory=list)
    _starts: list[int] = field(default_factory=list)
    _origins: list[int] = field(default_factory=list)
    _length: int = 0

    def add(self, source: MappedText, start: int, end: int) -> None:
        """Append ``source.data[start:end]``."""
        first = bisect_right(source.starts, start) - 1
        position = start
        for index in range(first, len(source.starts)):
            if position >= end:
                break
            stop = source.starts[index + 1] if index + 1 < len(source.starts) else end
            self._starts.append(self._length + position - start)
            self._origins.append(source.origins[index] + position - source.starts[index])
            position = min(stop, end)
        self._parts.append(source.data[start:end])
        self._length += end - start

    def literal(self, data: bytes, origin: int) -> None:
        """Append bytes that do not stand in the file; they point at a place of it."""
        self._starts.append(self._length)
        self._origins.append(origin)
        self._parts.append(data)
        self._length += len(data)

    def done(self, origin: int = 0) -> MappedText:
        """The joined text; ``origin`` says where an empty text stands."""
        if not self._starts:
            return MappedText.of(b"", origin)
        return MappedText(b"".join(self._parts), tuple(self._starts), tuple(self._origins))


@dataclass(frozen=True, slots=True)
class Source:
    """One file: its name, its bytes, and where its lines begin."""

    name: str
    data: bytes
    lines: tuple[int, ...]

    @classmethod
    def read(cls, name: str, data: bytes) -> Source:
        """Index the lines of a file.

        An engine takes any bytes; what is not text becomes a placeholder of as many bytes, so that every place stays.
        """
        data = data.decode(errors=_PLACEHOLDER).replace("\0", "?").encode()
        lines = [0]
        position = data.find(b"\n")
        while position >= 0:
            lines.append(position + 1)
            position = data.find(b"\n", position + 1)
        return cls(name, data, tuple(lines))

    def line(self, offset: int) -> int:
        """1-based line of a byte offset."""
        return bisect_right(self.lines, min(offset, max(len(self.data) - 1, 0)))

    def column(self, offset: int) -> int:
        """1-based column, in characters, of a byte offset."""
        start = self.lines[bisect_right(self.lines, offset) - 1]
        return len(self.data[start:offset].decode(errors="replace")) + 1

    def line_text(self, line: int) -> str:
        """A line without its end."""
        start = self.lines[line - 1]
        end = self.lines[line] if line < len(self.lines) else len(self.data)
        return self.data[start:end].decode(errors="replace").rstrip("\r\n")
