"""What a rule is and what it reports."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rocmimg.lint.context import LintFile


class Level(StrEnum):
    """How bad a finding is. An error breaks the image or the build; only errors change the exit code."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


class Evidence(StrEnum):
    """What a finding rests on."""

    TEXT = "the text of the Dockerfile"
    CONTEXT = "files of the build context"
    PROJECT = "facts about a known project"
    ASSUMED = "an assumption about what the Dockerfile does not show"
    """Such a finding is a note, whatever its rule."""
    TOOL = "another linter"


@dataclass(frozen=True, slots=True, kw_only=True)
class Edit:
    """A mechanical change: replace the bytes ``start:end`` of the file."""

    start: int
    end: int
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Hit:
    """What a rule saw: byte range in the file, message, and where it is safe, the edit that fixes it."""

    start: int
    end: int
    message: str
    level: Level | None = None
    """Overrides the rule's level for this place."""
    edits: tuple[Edit, ...] = ()
    evidence: Evidence = Evidence.TEXT
    more: tuple[int, ...] = ()
    """Offsets of further places of the same kind, said in one finding."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One line of the report. Lines and columns are 1-based."""

    rule: str
    failure_class: str
    file: str
    line: int
    column: int
    end_line: int
    end_column: int
    level: Level
    message: str
    fix: str
    evidence: Evidence = Evidence.TEXT
    edits: tuple[Edit, ...] = ()
    also: tuple[int, ...] = ()
    """Further lines of the same kind."""
    waived: str = ""
    """The reason of the waiver that covers it; empty when none does."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One rule: what it catches, why that matters, and a Dockerfile that fires with its corrected twin."""

    id: str
    failure_class: str
    """``F09`` of the catalogue of failures; ``-`` for a rule that has no class there."""
    level: Level
    title: str
    why: str
    fix: str
    case: str
    """Where it happened."""
    bad: str
    good: str
    check: Callable[[LintFile], Iterable[Hit]]
    prepare: Callable[[Sequence[LintFile]], None] | None = None
    """Asked once with all files before `check`."""
    replaces: tuple[str, ...] = field(default=())
    """Rules of hadolint or shellcheck that say the same about the same line."""
