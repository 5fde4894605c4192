"""Words of a script: their text without quotes, their place, and the scripts that they hold."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from tree_sitter import Node

from rocmimg.lint.expand import Lookup
from rocmimg.lint.shell.model import Assignment, Condition, Word
from rocmimg.lint.text import Builder, MappedText

_WHOLE: Final = re.compile(r"(?:\$\{?|\"?\$\{(?=\w+\[))(\w+)(?:\[[@*]\])?\}?\"?")


@dataclass(frozen=True, slots=True)
class Words:
    """Reads words of one text."""

    text: MappedText

    def word(self, node: Node) -> Word:
        """A word without its quotes."""
        parts, literal = _pieces(node)
        return Word(
            value="".join(parts),
            start=self.text.origin(node.start_byte),
            end=self.text.origin(node.end_byte),
            literal=literal,
            single=node.type == "raw_string",
        )

    def assignment(self, node: Node, *, exported: bool, guards: tuple[Condition, ...]) -> Assignment:
        """``NAME=value``."""
        name = node.child_by_field_name("name")
        value = node.child_by_field_name("value")
        start, end = self.text.origin(node.start_byte), self.text.origin(node.end_byte)
        empty = Word(value="", start=end, end=end, literal=True)
        return Assignment(
            name=(name.text or b"").decode(errors="replace") if name is not None else "",
            value=self.word(value) if value is not None else empty,
            start=start,
            end=end,
            exported=exported,
            guards=guards,
        )

    def split(self, node: Node, lookup: Lookup) -> list[Word]:
        """The words that a node becomes: an unquoted variable, or a whole array, of several known words is several."""
        word = self.word(node)
        match = _WHOLE.fullmatch((node.text or b"").decode(errors="replace"))
        value = lookup(match[1]) if match else None
        pieces = value.split() if value and "$" not in value else []
        if len(pieces) < 2:  # noqa: PLR2004
            return [word]
        return [Word(value=piece, start=word.start, end=word.end, literal=True) for piece in pieces]

    def script(self, node: Node) -> MappedText:
        """The text of a quoted word as an inner shell gets it."""
        builder = Builder()
        for start, end in _unquoted(node, self.text.data):
            builder.add(self.text, start, end)
        return builder.done(self.text.origin(node.start_byte))


def _unquoted(node: Node, data: bytes) -> Iterator[tuple[int, int]]:
    if node.type == "concatenation":
        for child in node.children:
            yield from _unquoted(child, data)
    elif node.type == "raw_string":
        yield node.start_byte + 1, node.end_byte - 1
    elif node.type == "ansi_c_string":
        yield node.start_byte + 2, node.end_byte - 1
    elif node.type == "string":
        position, end = node.start_byte + 1, node.end_byte - 1
        escape = data.find(b"\\", position, end)
        while escape >= 0 and escape + 1 < end:
            following = data[escape + 1 : escape + 2]
            if following in {b'"', b"\\", b"$", b"`"}:
                yield position, escape
                position = escape + 1
            elif following == b"\n":
                yield position, escape
                position = escape + 2
            escape = data.find(b"\\", escape + 2, end)
        yield position, end
    else:
        yield node.start_byte, node.end_byte


def _pieces(node: Node) -> tuple[list[str], bool]:
    """The text of a word without quotes, and whether nothing in it is expanded."""
    raw = (node.text or b"").decode(errors="replace")
    match node.type:
        case "raw_string":
            return [raw[1:-1]], True
        case "ansi_c_string":
            return [raw[2:-1]], True
        case "string":
            body = raw[1:-1]
            for escaped in ('\\"', "\\\\", "\\`"):
                body = body.replace(escaped, escaped[1])
            return [body.replace("\\\n", "")], node.named_child_count == sum(
                child.type == "string_content" for child in node.named_children
            )
        case "concatenation" | "command_name":
            parts: list[str] = []
            literal = True
            for child in node.children:
                pieces, plain = _pieces(child)
                parts.extend(pieces)
                literal &= plain
            return parts, literal
        case (
            "simple_expansion" | "expansion" | "command_substitution" | "process_substitution" | "arithmetic_expansion"
        ):
            return [raw], False
        case _:
            if node.named_child_count == 0 and "\\" in raw:
                raw = raw.replace("\\\n", "").replace("\\", "")
            return [raw], node.named_child_count == 0
