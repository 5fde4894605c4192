"""A logical line of a Dockerfile as BuildKit joins it, each byte with its place in the file.

BuildKit drops comments and empty lines between continuations, the white space before the first word, and the escape
character with the white space behind it. Its parser gives the joined text without places; this module gives the places.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from rocmimg.lint.syntax import Comment
from rocmimg.lint.text import Builder, MappedText, Source

_BLANK: Final = b" \t\r\n\v\f"
_BOM: Final = b"\xef\xbb\xbf"


@dataclass(frozen=True, slots=True, kw_only=True)
class LogicalLine:
    """The joined text, the comments between its lines, and the first line that is not part of it."""

    text: MappedText
    comments: tuple[Comment, ...]
    following: int


def comment_at(source: Source, line: int, *, inside: bool) -> Comment | None:
    """The comment that a line is."""
    start = source.lines[line - 1]
    text = source.line_text(line)
    if not text.lstrip().startswith("#"):
        return None
    return Comment(start=start, end=start + len(text.encode()), text=text.strip().lstrip("#").strip(), inside=inside)


def logical_line(source: Source, first: int, last: int, escape: str) -> LogicalLine:
    """Join the lines from `first` on, to `last` at most, as long as they end with the escape character."""
    escaped = re.escape(escape.encode())
    continuation = re.compile(rb"(?:(?<!" + escaped + rb")|^)" + escaped + rb"[ \t]*$")
    builder = Builder()
    comments: list[Comment] = []
    number = first
    going = True
    while going and number <= last:
        start, data = _line(source, number)
        if number == first:
            kept = data.lstrip(_BLANK)
            start += len(data) - len(kept)
            data = kept
        elif (comment := comment_at(source, number, inside=True)) is not None:
            comments.append(comment)
            number += 1
            continue
        elif not data.strip(_BLANK):
            number += 1
            continue
        match = continuation.search(data)
        end = match.start() if match else len(data)
        builder.add(MappedText.of(data, start), 0, end)
        going = match is not None
        number += 1
    return LogicalLine(
        text=builder.done(source.lines[first - 1]), comments=tuple(comments), following=min(number, last + 1)
    )


def _line(source: Source, number: int) -> tuple[int, bytes]:
    start = source.lines[number - 1]
    end = source.lines[number] if number < len(source.lines) else len(source.data)
    data = source.data[start:end].rstrip(b"\r\n")
    if number == 1 and data.startswith(_BOM):
        return start + len(_BOM), data[len(_BOM) :]
    return start, data


def align(wanted: bytes, source: Source, start: int, end: int) -> MappedText:
    """`wanted` with places from a stretch of the file of which it is a subsequence, as far as it is one."""
    builder = Builder()
    position = start
    index = 0
    while index < len(wanted):
        at = source.data.find(wanted[index : index + 1], position, end)
        if at < 0:
            builder.literal(wanted[index:], min(position, max(end - 1, start)))
            break
        length = 1
        limit = min(len(wanted) - index, end - at)
        while length < limit and wanted[index + length] == source.data[at + length]:
            length += 1
        builder.add(MappedText.of(source.data[at : at + length], at), 0, length)
        index += length
        position = at + length
    return builder.done(start)
