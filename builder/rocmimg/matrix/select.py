"""Which cells a command is about."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Final, Protocol

from rocmimg.errors import ConfigError, Position
from rocmimg.matrix.validate import did_you_mean


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
    targets: tuple[str, ...] = ()
    archs: tuple[str, ...] = ()
    variants: tuple[str, ...] = ()


NOTHING: Final = Selection()


def select(cells: Sequence[Selectable], selection: Selection) -> list[str]:
    """Ids of the selected cells, in the matrix's order. Opt-in cells only by id or variant.

    Raises:
        ConfigError: a pattern selects nothing.
    """
    chosen = [cell for cell in cells if not cell.opt_in or selection.ids or selection.variants]
    axes = (
        ("cell", "id", selection.ids),
        ("target", "target", selection.targets),
        ("arch", "arch", selection.archs),
        ("variant", "variant", selection.variants),
    )
    for word, attribute, patterns in axes:
        for pattern in patterns:
            if not any(fnmatchcase(getattr(cell, attribute), pattern) for cell in cells):
                known = dict.fromkeys(getattr(cell, attribute) for cell in cells)
                raise ConfigError(
                    f"no {word} is called {pattern!r}",
                    next_step=did_you_mean(pattern, (name for name in known if name)),
                    position=Position("command line"),
                )
        if patterns:
            chosen = [cell for cell in chosen if any(fnmatchcase(getattr(cell, attribute), p) for p in patterns)]
    if not chosen:
        raise ConfigError(
            "no cell has this combination", next_step="see `rocmimg list`", position=Position("command line")
        )
    return [cell.id for cell in chosen]
