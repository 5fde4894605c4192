"""A Dockerfile as instructions and stages with byte ranges.

BuildKit's own parser (package ``dockerfile``) decides what is valid, where each instruction begins and ends, what its
words are, and what text the shell of a RUN gets. `lines` and `instructions` give that text its places in the file.
"""

from __future__ import annotations

import re
from difflib import get_close_matches
from typing import Any, Final

from rocmimg.lint.instructions import read_instruction
from rocmimg.lint.lines import comment_at
from rocmimg.lint.syntax import Comment, Dockerfile, Instruction, Problem, Stage
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
_DIRECTIVE: Final = re.compile(r"#\s*(syntax|escape|check)\s*=\s*(.*?)\s*", re.IGNORECASE)


def parse(source: Source) -> Dockerfile:
    """Read a Dockerfile; a broken one gives `problems`, never an exception."""
    directives = _directives(source)
    escape = directives.get("escape", "\\")
    official, problems = _official(source)
    instructions: list[Instruction] = []
    comments: list[Comment] = []
    covered: set[int] = set()
    for command in official:
        covered.update(range(command.start_line, command.end_line + 1))
        if (command.cmd or "").upper() not in _KEYWORDS:
            problems.append(_unknown(source, command))
            continue
        instruction, line = read_instruction(source, command, len(instructions), escape)
        instructions.append(instruction)
        comments.extend(line.comments)
    outside = (n for n in range(1, len(source.lines) + 1) if n not in covered)
    comments.extend(c for c in (comment_at(source, number, inside=False) for number in outside) if c is not None)
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


def _directives(source: Source) -> dict[str, str]:
    """``# syntax=`` and the like; they stand before everything else."""
    found: dict[str, str] = {}
    for number in range(1, len(source.lines) + 1):
        match = _DIRECTIVE.fullmatch(source.line_text(number).lstrip("\ufeff"))
        if match is None:
            break
        found[match[1].lower()] = match[2].strip()
    return found


def _official(source: Source) -> tuple[list[Any], list[Problem]]:
    """BuildKit's list of instructions; nothing and a problem where it refuses the file."""
    import dockerfile

    if not source.data.strip():
        return [], [Problem(start=0, end=0, message="the file is empty")]
    try:
        return list(dockerfile.parse_string(source.data.decode())), []
    except (dockerfile.GoParseError, ValueError) as error:
        match = re.search(r"line (\d+)", str(error))
        line = min(max(int(match[1]), 1), len(source.lines)) if match else 1
        message = f"BuildKit does not read this file: {str(error).strip()}"
        return [], [_problem(source, line, message)]


def _unknown(source: Source, command: Any) -> Problem:
    keyword = (command.cmd or "").upper()
    close = get_close_matches(keyword, _KEYWORDS, n=1)
    hint = f"; did you mean {close[0]}?" if close else ""
    shown = keyword or repr(source.line_text(command.start_line).strip())
    return _problem(source, command.start_line, f"unknown instruction {shown}{hint}")


def _problem(source: Source, line: int, message: str) -> Problem:
    start = source.lines[min(line, len(source.lines)) - 1]
    end = start + max(len(source.line_text(source.line(start)).encode()), 1)
    return Problem(start=start, end=end, message=message)
