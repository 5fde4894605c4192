"""Which cells a command is about."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from types import MappingProxyType
from typing import Final, Protocol

from rocmimg.errors import ConfigError, Position, did_you_mean


class Selectable(Protocol):
    """What selection looks at."""

    @property
    def id(self) -> str: ...
    @property
    def target(self) -> str: ...
    @property
    def arch(self) -> str: ...
    @property
    def variant(self) -> str: ...
    @property
    def opt_in(self) -> bool: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """Shell patterns; an empty list does not restrict."""

    ids: tuple[str, ...] = ()
    """Cells, or targets: those mean all of their cells."""
    targets: tuple[str, ...] = ()
    archs: tuple[str, ...] = ()
    variants: tuple[str, ...] = ()


NOTHING: Final = Selection()
NO_TARGETS: Final[Mapping[str, Sequence[str]]] = MappingProxyType({})


def select(
    cells: Sequence[Selectable], selection: Selection, extended: Mapping[str, Sequence[str]] = NO_TARGETS
) -> list[str]:
    """Ids of the selected cells, in the matrix's order. Opt-in cells only by their own id or by variant.

    ``extended`` has targets that have no cells, and those that extend them.

    Raises:
        ConfigError: a pattern selects nothing.
    """
    for word, attributes, patterns in (
        ("cell or target", ("target", "id"), selection.ids),
        ("target", ("target",), selection.targets),
        ("arch", ("arch",), selection.archs),
        ("variant", ("variant",), selection.variants),
    ):
        known = dict.fromkeys(getattr(cell, name) for name in attributes for cell in cells if getattr(cell, name))
        for pattern in patterns:
            if pattern in extended and pattern not in known:
                users = ", ".join(extended[pattern])
                raise ConfigError(
                    f"target {pattern!r} has no cells",
                    why=f"it has no gpu_archs; it is only extended, by {users}" if users else "it has no gpu_archs",
                    next_step=f"name one of {users}" if users else "add gpu_archs",
                    position=Position("command line"),
                )
            if not any(fnmatchcase(name, pattern) for name in known):
                raise ConfigError(
                    f"no {word} is called {pattern!r}",
                    next_step=did_you_mean(pattern, known),
                    position=Position("command line"),
                )
    chosen = [cell.id for cell in cells if _is_chosen(cell, selection)]
    if not chosen:
        raise ConfigError(
            "no cell has this combination", next_step="see `rocmimg list`", position=Position("command line")
        )
    return chosen


def _is_chosen(cell: Selectable, selection: Selection) -> bool:
    named = _fits(cell.id, selection.ids)
    asked_for = bool(selection.variants or (selection.ids and named))
    return (
        (named or _fits(cell.target, selection.ids))
        and (asked_for or not cell.opt_in)
        and _fits(cell.target, selection.targets)
        and _fits(cell.arch, selection.archs)
        and _fits(cell.variant, selection.variants)
    )


def _fits(value: str, patterns: tuple[str, ...]) -> bool:
    return not patterns or any(fnmatchcase(value, pattern) for pattern in patterns)
