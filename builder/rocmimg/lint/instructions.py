"""One instruction in detail: flags, pairs, words, and the script as the shell gets it."""

from __future__ import annotations

import json
import re
import shlex
from typing import Final

from tree_sitter import Node

from rocmimg.lint.syntax import SHELLS, Comment, Instruction, Pair
from rocmimg.lint.text import Builder, MappedText

_EMPTY_LINES: Final = re.compile(rb"(?:[ \t]*\r?\n)+")
_SH_HEREDOC: Final = re.compile(rb"^#!\s*\S*?/?(?:env\s+)?([\w.-]+)")


def _text(node: Node) -> str:
    return (node.text or b"").decode(errors="replace")


def _unquote_json(node: Node) -> tuple[str, ...]:
    try:
        value = json.loads(node.text or b"")
    except ValueError:
        return tuple(_text(child) for child in node.named_children)
    return tuple(map(str, value)) if isinstance(value, list) else ()


class InstructionReader:
    """Reads one instruction; `base` is the file offset of the first byte of `data`."""

    def __init__(self, data: bytes, base: int, index: int, comments: list[Comment]) -> None:
        self.text = MappedText.of(data, base)
        self.base = base
        self.index = index
        self.comments = comments

    @staticmethod
    def keyword(node: Node) -> str:
        return node.type.removesuffix("_instruction").upper()

    def _comment(self, node: Node) -> None:
        text = _text(node).strip().lstrip("#").strip()
        self.comments.append(
            Comment(start=self.base + node.start_byte, end=self.base + node.end_byte, text=text, inside=True)
        )

    def instruction(self, node: Node) -> Instruction:
        """One instruction with its parts."""
        keyword = self.keyword(node)
        flags: list[tuple[str, str]] = []
        pairs: list[Pair] = []
        words: list[str] = []
        script: MappedText | None = None
        shell = ""
        body: Node | None = None
        heredocs: list[Node] = []
        for child in node.named_children:
            kind = child.type
            if kind in {"param", "mount_param"}:
                name, _, value = _text(child)[2:].partition("=")
                flags.append((name, value))
            elif kind.endswith("_pair"):
                pairs.append(self._pair(child))
            elif kind == "shell_command":
                body = child
            elif kind == "heredoc_block":
                heredocs.append(child)
            elif kind == "json_string_array":
                words.extend(_unquote_json(child))
                if keyword == "RUN":
                    script, shell = self._exec_form(child)
            elif kind in {"image_spec", "image_alias", "path", "unquoted_string", "double_quoted_string"}:
                words.append(_text(child).strip("\"'"))
            elif kind.endswith("_instruction"):  # ONBUILD RUN ..., HEALTHCHECK CMD ...
                inner = self.instruction(child)
                script, shell, words = inner.script, inner.shell, list(inner.words)
            elif kind == "comment":
                self._comment(child)
        if body is not None:
            script, shell = self._script(body, heredocs)
        return Instruction(
            keyword=keyword,
            start=self.base + node.start_byte,
            end=self.base + node.end_byte,
            index=self.index,
            flags=tuple(flags),
            pairs=tuple(pairs),
            words=tuple(words),
            script=script,
            shell=shell,
        )

    def _pair(self, node: Node) -> Pair:
        children = node.named_children
        name = _text(children[0]).strip("\"'") if children else _text(node).partition("=")[0]
        # The value is BuildKit's, set by `_corrected`; the grammar gives the place.
        return Pair(name=name, value=None, start=self.base + node.start_byte, end=self.base + node.end_byte)

    def _exec_form(self, array: Node) -> tuple[MappedText, str]:
        """``["bash", "-c", "script"]`` as the script; another array as one command."""
        strings = [self._json_string(child) for child in array.named_children if child.type == "json_string"]
        values = [string.data.decode(errors="replace") for string in strings]
        if len(values) > 2 and values[0].rpartition("/")[2] in SHELLS and values[1].endswith("c"):  # noqa: PLR2004
            return strings[2], values[0]
        builder = Builder()
        for string, value in zip(strings, values, strict=True):
            plain = value == shlex.quote(value) or "'" in value
            end = string.origin(len(string.data))
            builder.literal(b" " if plain else b" '", string.origin(0))
            builder.add(string, 0, len(string.data))
            builder.literal(b"" if plain else b"'", end)
        return builder.done(self.base + array.start_byte), "sh"

    def _json_string(self, node: Node) -> MappedText:
        builder = Builder()
        position = node.start_byte + 1
        for child in node.named_children:
            if child.type != "escape_sequence":
                continue
            builder.add(self.text, position, child.start_byte)
            try:
                decoded = str(json.loads(b'"' + (child.text or b"") + b'"'))
            except ValueError:
                decoded = _text(child)
            builder.literal(decoded.encode(errors="replace"), self.base + child.start_byte)
            position = child.end_byte
        builder.add(self.text, position, max(node.end_byte - 1, position))
        return builder.done(self.base + node.start_byte)

    def _script(self, body: Node, heredocs: list[Node]) -> tuple[MappedText, str]:
        """The text that the shell gets: continuations joined, comments between them dropped."""
        whole = self.text
        builder = Builder()
        position = body.start_byte
        for child in body.named_children:
            if child.type not in {"line_continuation", "comment"}:
                continue
            if child.type == "comment":
                self._comment(child)
            # A comment runs from the first column of its line; so does the white space before it.
            start = child.start_byte
            if child.type == "comment":
                start = max(position, whole.data.rfind(b"\n", 0, start) + 1)
            builder.add(whole, position, start)
            # BuildKit drops empty lines between continuations as well.
            empty = _EMPTY_LINES.match(whole.data, child.end_byte, body.end_byte)
            position = empty.end() if empty else child.end_byte
        builder.add(whole, position, body.end_byte)
        markers = [child for child in body.named_children if child.type == "heredoc_marker"]
        if heredocs and len(markers) == 1 and _is_marker_alone(builder, markers[0]):
            content = next((c for c in heredocs[0].named_children if c.type == "heredoc_content"), None)
            if content is None:
                return MappedText.of(b"", self.base + body.start_byte), ""
            text = whole.cut(content.start_byte, content.end_byte)
            match = _SH_HEREDOC.match(text.data)
            return text, match[1].decode() if match else ""
        for block in heredocs:
            builder.add(whole, block.start_byte, block.end_byte)
        return builder.done(self.base + body.start_byte), ""


def _is_marker_alone(builder: Builder, marker: Node) -> bool:
    """``RUN <<EOF`` alone: the here-document is the script itself."""
    return builder.done().data.strip() == (marker.text or b"").strip()
