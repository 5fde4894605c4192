"""A finding about a line of images.yaml, whoever made it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Literal

from rocmimg.errors import Position


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """What is wrong with one or several cells, and which line of the matrix says so."""

    level: Literal["error", "warning", "note"]
    rule: str
    """A rule of the linter, a verdict of the contract, a check of pins."""
    message: str
    position: Position
    cells: tuple[str, ...]
    fix: str = ""


def merged(problems: Iterable[Problem]) -> list[Problem]:
    """What several cells share is said once; in the order of the first ones."""
    found: dict[Problem, dict[str, None]] = {}
    for problem in problems:
        found.setdefault(replace(problem, cells=()), {}).update(dict.fromkeys(problem.cells))
    return [replace(problem, cells=tuple(cells)) for problem, cells in found.items()]
