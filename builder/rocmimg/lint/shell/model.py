"""What a shell script is made of."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from rocmimg.lint.text import MappedText


@dataclass(frozen=True, slots=True, kw_only=True)
class Word:
    """One word: `value` without quotes, with variables as written; offsets in the file."""

    value: str
    start: int
    end: int
    literal: bool
    """No expansion in it."""
    single: bool = False
    """In single quotes as a whole: nothing is expanded."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Redirect:
    operator: str
    target: Word


@dataclass(frozen=True, slots=True, kw_only=True)
class Assignment:
    """``NAME=value``, before a command, alone, or through export."""

    name: str
    value: Word
    start: int
    end: int
    exported: bool = False
    guards: tuple[Condition, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """A test that decides whether a command runs: ``test``, ``all``, ``any``, ``not``, ``case`` or ``unknown``."""

    kind: str
    operator: str = ""
    words: tuple[Word, ...] = ()
    parts: tuple[Condition, ...] = ()
    excluded: tuple[Word, ...] = ()
    """Patterns of the earlier branches of a case."""


UNKNOWN: Final = Condition(kind="unknown")


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """One simple command."""

    name: str
    """Its last path part; a variable that the script sets is followed; the command behind env, sudo, time, ..."""
    path: str
    """Its name as written, with the path."""
    words: tuple[Word, ...]
    """Its arguments."""
    assignments: tuple[Assignment, ...]
    redirects: tuple[Redirect, ...]
    start: int
    end: int
    name_end: int
    cwd: str | None
    """Directory it runs in where that is known, with the variables as written."""
    lost: str
    """How a failure of it goes unnoticed: ``true``, ``sequence``, ``and-list``, ``pipe``; empty when it does not."""
    pipeline: int
    """Number of its pipeline in the script, 0 outside one."""
    position: int
    """Place in that pipeline, from 0."""
    guards: tuple[Condition, ...]
    loop: bool
    condition: bool
    wrapped: tuple[str, ...]
    input: str
    """Text fed to it by a here-document, or by an echo, printf or cat before it in the pipe."""

    def values(self) -> list[str]:
        """The arguments as text."""
        return [word.value for word in self.words]


@dataclass(slots=True, kw_only=True)
class Script:
    """The commands of one RUN, nested scripts included, in the order in which they stand."""

    commands: list[Command] = field(default_factory=list)
    assignments: list[Assignment] = field(default_factory=list)
    errors: list[tuple[int, int, str]] = field(default_factory=list)
    """Places that the grammar does not read: start, end, text."""
    texts: list[tuple[MappedText, tuple[str, ...]]] = field(default_factory=list)
    """Every script with its interpreter and the options of that, outermost first."""
    pipelines: int = 0
