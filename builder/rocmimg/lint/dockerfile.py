"""A Dockerfile as instructions and stages with byte ranges.

BuildKit's own parser (package ``dockerfile``) decides what is valid, where each instruction begins and ends, and what
its words are. tree-sitter-containerfile gives the columns inside one instruction: flags, continuations, comments
between them, here-documents. Where the two disagree, the instruction is reported as not checked, never skipped.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from typing import Any, Final

from tree_sitter import Language, Node, Parser

from rocmimg.lint.text import Builder, Mapped, Source

_EMPTY_LINES: Final = re.compile(rb"(?:[ \t]*\r?\n)+")
_SH_HEREDOC: Final = re.compile(rb"^#!\s*\S*?/?(?:env\s+)?([\w.-]+)")
_KEYWORDS: Final = frozenset(
    {
        "ADD",
        "ARG",
        "CMD",
        "COPY",
        "ENTRYPOINT",
        "ENV",
        "EXPOSE",
        "FROM",
        "HEALTHCHECK",
        "LABEL",
        "MAINTAINER",
        "ONBUILD",
    }
    | {"RUN", "SHELL", "STOPSIGNAL", "USER", "VOLUME", "WORKDIR"}
)
SHELLS: Final = frozenset({"sh", "bash", "dash", "ash", "ksh"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """``NAME=value`` of an ENV, ARG or LABEL; value as written, None where an ARG has no default."""

    name: str
    value: str | None
    start: int
    end: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Instruction:
    """One instruction; offsets are bytes in the file, the end is exclusive."""

    keyword: str
    start: int
    end: int
    index: int
    """Position in the file, counted in instructions."""
    flags: tuple[tuple[str, str], ...] = ()
    pairs: tuple[Pair, ...] = ()
    words: tuple[str, ...] = ()
    """Arguments of FROM, COPY, ADD, USER, WORKDIR; the array of an exec form."""
    script: Mapped | None = None
    """Shell text of RUN, CMD, ENTRYPOINT in shell form, as the shell gets it."""
    shell: str = ""
    """The interpreter of `script` where a here-document names its own."""
    onbuild: bool = False

    def flag(self, name: str) -> list[str]:
        """Values of ``--name=value``."""
        return [value for key, value in self.flags if key == name]


@dataclass(slots=True, kw_only=True)
class Stage:
    """A build stage."""

    index: int
    name: str
    image: str
    """As written, with variables."""
    start: Instruction
    instructions: list[Instruction] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """Something that could not be read."""

    start: int
    end: int
    message: str
    invalid: bool
    """BuildKit refuses it; else only this reader lost it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Comment:
    """A comment line; ``inside`` tells one between continuation lines."""

    start: int
    end: int
    text: str
    inside: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Dockerfile:
    """A parsed file."""

    source: Source
    instructions: tuple[Instruction, ...]
    head: tuple[Instruction, ...]
    """ARGs before the first FROM."""
    stages: tuple[Stage, ...]
    problems: tuple[Problem, ...]
    comments: tuple[Comment, ...]
    directives: dict[str, str]


def parse(source: Source) -> Dockerfile:
    """Read a Dockerfile; a broken one gives `problems`, never an exception."""
    import tree_sitter_containerfile

    parser = Parser(Language(tree_sitter_containerfile.language()))
    official, problems = _official(source)
    comments: list[Comment] = []
    _outer_comments(source, official, comments)
    directives = _directives(comments)
    prefix = f"# escape={directives['escape']}\n".encode() if "escape" in directives else b""
    instructions: list[Instruction] = []
    for command in official:
        start = source.lines[command.start_line - 1]
        end = source.lines[command.end_line] if command.end_line < len(source.lines) else len(source.data)
        data = prefix + source.data[start:end]
        reader = _Reader(data, start - len(prefix), len(instructions), comments)
        nodes = [node for node in parser.parse(data).root_node.children if node.type.endswith("_instruction")]
        if not nodes or reader.keyword(nodes[0]) != command.cmd.upper():
            problems.append(_unplaced(source, command))
            continue
        instructions.append(_corrected(reader.instruction(nodes[0]), command))
    stages: list[Stage] = []
    head: list[Instruction] = []
    for instruction in instructions:
        if instruction.keyword == "FROM":
            image, *alias = instruction.words or ("",)
            stages.append(
                Stage(
                    index=len(stages),
                    name=alias[0].lower() if alias else "",
                    image=image.strip("\"'"),
                    start=instruction,
                )
            )
        elif stages:
            stages[-1].instructions.append(instruction)
        elif instruction.keyword == "ARG":
            head.append(instruction)
    return Dockerfile(
        source=source,
        instructions=tuple(instructions),
        head=tuple(head),
        stages=tuple(stages),
        problems=tuple(problems),
        comments=tuple(sorted(comments, key=lambda comment: comment.start)),
        directives=directives,
    )


def _outer_comments(source: Source, official: list[Any], comments: list[Comment]) -> None:
    covered: set[int] = set()
    for command in official:
        covered.update(range(command.start_line, command.end_line + 1))
    for number, start in enumerate(source.lines, start=1):
        text = source.line_text(number)
        if number not in covered and text.lstrip().startswith("#"):
            stripped = text.strip().lstrip("#").strip()
            comments.append(Comment(start=start, end=start + len(text.encode()), text=stripped, inside=False))


def _directives(comments: list[Comment]) -> dict[str, str]:
    found: dict[str, str] = {}
    for comment in comments:
        key, equals, value = comment.text.partition("=")
        if not equals or key.strip().lower() not in {"syntax", "escape", "check"}:
            break
        found[key.strip().lower()] = value.strip()
    return found


def _official(source: Source) -> tuple[list[Any], list[Problem]]:
    """BuildKit's list of instructions; nothing and a problem where it refuses the file."""
    import dockerfile

    if not source.data.strip():
        return [], [Problem(start=0, end=0, message="the file is empty", invalid=True)]
    try:
        return list(dockerfile.parse_string(source.data.decode())), []
    except UnicodeDecodeError as error:
        return [], [Problem(start=error.start, end=error.end, message="not UTF-8 text", invalid=True)]
    except (dockerfile.GoParseError, ValueError) as error:
        match = re.search(r"line (\d+)", str(error))
        line = min(max(int(match[1]), 1), len(source.lines)) if match else 1
        message = f"BuildKit does not read this file: {str(error).strip()}"
        return [], [_problem(source, line, message, invalid=True)]


def _unplaced(source: Source, command: Any) -> Problem:
    keyword = (command.cmd or "").upper()
    if keyword in _KEYWORDS:
        message = f"{command.cmd} could not be placed; it was not checked"
        return _problem(source, command.start_line, message, invalid=False)
    close = get_close_matches(keyword, _KEYWORDS, n=1)
    hint = f"; did you mean {close[0]}?" if close else ""
    return _problem(
        source,
        command.start_line,
        f"unknown instruction {keyword or source.line_text(command.start_line).strip()!r}{hint}",
        invalid=True,
    )


def _problem(source: Source, line: int, message: str, *, invalid: bool) -> Problem:
    start = source.lines[min(line, len(source.lines)) - 1]
    end = start + max(len(source.line_text(source.line(start)).encode()), 1)
    return Problem(start=start, end=end, message=message, invalid=invalid)


def _corrected(instruction: Instruction, command: Any) -> Instruction:
    """The instruction with the words that BuildKit reads."""
    values: tuple[str, ...] = command.value
    match instruction.keyword:
        case "ENV" | "LABEL":
            named: list[tuple[str, str | None]] = list(zip(values[::2], values[1::2], strict=False))
        case "ARG":
            named = [(name, value if equals else None) for name, equals, value in (v.partition("=") for v in values)]
        case "FROM":
            alias = values[2:3] if len(values) > 2 and values[1].lower() == "as" else ()  # noqa: PLR2004
            return replace(instruction, words=(*values[:1], *alias))
        case "WORKDIR" | "USER" | "COPY" | "ADD":
            return replace(instruction, words=values)
        case _:
            return instruction
    places = {pair.name: pair for pair in instruction.pairs}
    whole = Pair(name="", value=None, start=instruction.start, end=instruction.end)
    pairs = tuple(replace(places.get(name, whole), name=name, value=value) for name, value in named)
    return replace(instruction, pairs=pairs)


def _text(node: Node) -> str:
    return (node.text or b"").decode(errors="replace")


def _unquote_json(node: Node) -> tuple[str, ...]:
    try:
        value = json.loads(node.text or b"")
    except ValueError:
        return tuple(_text(child) for child in node.named_children)
    return tuple(map(str, value)) if isinstance(value, list) else ()


class _Reader:
    """Reads one instruction; `base` is the file offset of the first byte of `data`."""

    def __init__(self, data: bytes, base: int, index: int, comments: list[Comment]) -> None:
        self.text = Mapped.of(data, base)
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

    def instruction(self, node: Node, *, onbuild: bool = False) -> Instruction:
        """One instruction with its parts."""
        keyword = self.keyword(node)
        flags: list[tuple[str, str]] = []
        pairs: list[Pair] = []
        words: list[str] = []
        script: Mapped | None = None
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
            elif kind in {"image_spec", "image_alias", "path", "unquoted_string", "double_quoted_string"}:
                words.append(_text(child).strip("\"'"))
            elif kind.endswith("_instruction"):  # ONBUILD RUN ..., HEALTHCHECK CMD ...
                inner = self.instruction(child, onbuild=True)
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
            onbuild=onbuild or keyword == "ONBUILD",
        )

    def _pair(self, node: Node) -> Pair:
        children = node.named_children
        name = _text(children[0]).strip("\"'") if children else _text(node).partition("=")[0]
        # The value is BuildKit's, set by `_corrected`; the grammar gives the place.
        return Pair(name=name, value=None, start=self.base + node.start_byte, end=self.base + node.end_byte)

    def _script(self, body: Node, heredocs: list[Node]) -> tuple[Mapped, str]:
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
                return Mapped.of(b"", self.base + body.start_byte), ""
            text = whole.cut(content.start_byte, content.end_byte)
            match = _SH_HEREDOC.match(text.data)
            return text, match[1].decode() if match else ""
        for block in heredocs:
            builder.add(whole, block.start_byte, block.end_byte)
        return builder.done(self.base + body.start_byte), ""


def _is_marker_alone(builder: Builder, marker: Node) -> bool:
    """``RUN <<EOF`` alone: the here-document is the script itself."""
    return builder.done().data.strip() == (marker.text or b"").strip()
