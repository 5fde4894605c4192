"""How large the layers of an image are, and which of them came with its base."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rocmimg.errors import RocmimgError

if TYPE_CHECKING:
    from rocmimg.engine import Engine, HistoryEntry


@dataclass(frozen=True, slots=True, kw_only=True)
class Layers:
    """An image's history, oldest first."""

    entries: tuple[HistoryEntry, ...]
    of_base: int
    """So many of them came with the base; 0 where that is not known."""


def layers_of(engine: Engine, images: Mapping[str, tuple[str, str]]) -> dict[str, Layers]:
    """The layers of images: cell -> (image's id, reference of its base or empty).

    An image that the engine cannot tell of is left out: a report does not fail for the sake of its pictures.
    """
    found = {}
    for cell, (image_id, base) in images.items():
        try:
            entries = tuple(engine.history(image_id))
            below = tuple(engine.history(base)) if base and engine.image(base) else ()
        except RocmimgError:
            continue
        same = [(one.created_by, one.size) for one in below] == [
            (one.created_by, one.size) for one in entries[: len(below)]
        ]
        found[cell] = Layers(entries=entries, of_base=len(below) if same else 0)
    return found
