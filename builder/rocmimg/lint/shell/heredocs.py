"""Here-documents taken out of a script, so that the grammar sees one file redirect for each.

The grammar loses its way in two here-documents on a line and in ``<<EOF command``. A small scanner knows where ``<<``
is the operator: outside quotes, comments and arithmetic.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from rocmimg.lint.text import Builder, MappedText

_PREFIX: Final = "/dev/heredoc/"
_OPERATOR: Final = re.compile(rb"<<(-?)[ \t]*((?:[^\s;&|<>()'\"\\`]|\\.|'[^'\n]*'|\"[^\"\n]*\")+)")
_SPECIAL: Final = re.compile(rb"[\\'\"#(<\n)]")
_QUOTES: Final = re.compile(rb"['\"\\]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Heredoc:
    """What stands between the operator and its delimiter."""

    body: MappedText
    quoted: bool
    """Nothing in it is expanded."""


@dataclass(slots=True)
class _Pending:
    delimiter: bytes
    chomp: bool
    quoted: bool


def take_out(text: MappedText) -> tuple[MappedText, tuple[Heredoc, ...]]:
    """The script with redirects from numbered files in place of here-documents, and those."""
    if b"<<" not in text.data:
        return text, ()
    return _Scanner(text).run()


def find(target: str, heredocs: tuple[Heredoc, ...]) -> Heredoc | None:
    """The here-document that the target of a redirect stands for."""
    number = target.removeprefix(_PREFIX)
    return heredocs[int(number)] if number != target and number.isdigit() and int(number) < len(heredocs) else None


class _Scanner:
    def __init__(self, text: MappedText) -> None:
        self.text = text
        self.data = text.data
        self.builder = Builder()
        self.kept = 0
        self.found: list[Heredoc] = []
        self.pending: list[_Pending] = []

    def run(self) -> tuple[MappedText, tuple[Heredoc, ...]]:
        position = 0
        end = len(self.data)
        while position < end:
            position = self._step(position)
        self.builder.add(self.text, self.kept, end)
        return self.builder.done(self.text.origin(0)), tuple(self.found)

    def _step(self, position: int) -> int:
        data = self.data
        char = data[position : position + 1]
        if char == b"\\":
            return position + 2
        if char == b"'":
            return self._behind(b"'", position + 1)
        if char == b'"':
            return self._double(position + 1)
        if char == b"#" and (not position or data[position - 1 : position] in b" \t\n;&|("):
            line = data.find(b"\n", position)
            return line if line >= 0 else len(data)
        if data.startswith(b"((", position):
            close = data.find(b"))", position)
            return close + 2 if close >= 0 else position + 2
        if data.startswith(b"<<<", position):
            return position + 3
        if data.startswith(b"<<", position):
            return self._operator(position)
        if char == b"\n" and self.pending:
            return self._bodies(position + 1)
        following = _SPECIAL.search(data, position + 1)
        return following.start() if following is not None else len(data)

    def _behind(self, quote: bytes, position: int) -> int:
        close = self.data.find(quote, position)
        return close + 1 if close >= 0 else len(self.data)

    def _double(self, position: int) -> int:
        while position < len(self.data):
            char = self.data[position : position + 1]
            if char == b'"':
                return position + 1
            if self.data.startswith(b"$(", position):
                position = self._substitution(position + 2)
            else:
                position += 2 if char == b"\\" else 1
        return position

    def _substitution(self, position: int) -> int:
        depth = 1
        while position < len(self.data) and depth:
            char = self.data[position : position + 1]
            depth += (char == b"(") - (char == b")")
            position = self._step(position) if char != b"(" or self.data.startswith(b"((", position) else position + 1
        return position

    def _operator(self, position: int) -> int:
        match = _OPERATOR.match(self.data, position)
        if match is None:
            return position + 2
        delimiter = _QUOTES.sub(b"", match[2])
        chomp = match[1] == b"-"
        line = rb"^" + (rb"\t*" if chomp else b"") + re.escape(delimiter) + rb"\r?$"
        start = self.data.find(b"\n", match.end())
        if start < 0 or re.compile(line, re.MULTILINE).search(self.data, start + 1) is None:
            return match.end()
        quoted = delimiter != match[2]
        self.pending.append(_Pending(delimiter=delimiter, chomp=chomp, quoted=quoted))
        self.builder.add(self.text, self.kept, position)
        number = len(self.found) + len(self.pending) - 1
        self.builder.literal(f"< {_PREFIX}{number}".encode(), self.text.origin(position))
        self.kept = match.end()
        return match.end()

    def _bodies(self, position: int) -> int:
        self.builder.add(self.text, self.kept, position)
        for heredoc in self.pending:
            body = Builder()
            origin = self.text.origin(min(position, len(self.data) - 1))
            while position < len(self.data):
                stop = self.data.find(b"\n", position) + 1 or len(self.data)
                line = self.data[position:stop]
                tabs = len(line) - len(line.lstrip(b"\t")) if heredoc.chomp else 0
                start, position = position, stop
                if line[tabs:].rstrip(b"\r\n") == heredoc.delimiter:
                    break
                body.add(self.text, start + tabs, stop)
            self.found.append(Heredoc(body=body.done(origin), quoted=heredoc.quoted))
        self.pending.clear()
        self.kept = position
        return position
