"""A Dockerfile as instructions and stages with byte ranges.

BuildKit's own parser (package ``dockerfile``) decides what is valid, where each instruction begins and ends, and what
its words are. tree-sitter-containerfile gives the columns inside one instruction: flags, continuations, comments
between them, here-documents. Where the two disagree, the instruction is reported as not checked, never skipped.
"""

from __future__ import annotations

import re
from dataclasses import replace
from difflib import get_close_matches
from typing import Any, Final

from tree_sitter import Language, Parser

from rocmimg.lint.instructions import InstructionReader
from rocmimg.lint.syntax import Comment, Dockerfile, Instruction, Pair, Problem, Stage
from rocmimg.lint.text import Source

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
        reader = InstructionReader(data, start - len(prefix), len(instructions), comments)
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
