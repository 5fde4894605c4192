"""What a Dockerfile is made of."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from rocmimg.lint.text import MappedText, Source

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
    script: MappedText | None = None
    """Shell text of RUN, CMD, ENTRYPOINT in shell form, as the shell gets it."""
    shell: tuple[str, ...] = ()
    """The interpreter of `script`, with its options, where the instruction names its own."""
    files: tuple[tuple[str, MappedText], ...] = ()
    """Here-documents of COPY and ADD by name."""

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
    """Something that BuildKit refuses."""

    start: int
    end: int
    message: str


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
