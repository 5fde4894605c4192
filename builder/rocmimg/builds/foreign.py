"""Names of cells that an image has which no build here made: a build would take them from it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rocmimg import built
from rocmimg.builds.decide import ImageIndex
from rocmimg.engine import ImageInfo
from rocmimg.errors import ForeignTag
from rocmimg.plan import LABEL_CELL, Plan

if TYPE_CHECKING:
    from rocmimg.engine import Engine


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """A tag of a cell that names a foreign image."""

    cell: str
    tag: str
    image_id: str

    def __str__(self) -> str:
        return f"{self.tag} names {self.image_id.removeprefix('sha256:')[:12]}"


def foreign_tags(plan: Plan, cells: Iterable[str], images: Iterable[ImageInfo], engine: Engine) -> list[Taken]:
    """Tags of these cells on images that rocmimg did not build.

    An image with the cell's own label is taken for a build of another machine, unless it is one of this machine's with
    layers on top: committed, or made FROM it.
    """
    index = ImageIndex(images)
    return [
        Taken(cell=cell, tag=tag, image_id=image.id)
        for cell in cells
        if not plan[cell].prebuilt
        for tag in plan[cell].cell.tags
        if (image := index.find(tag)) and _is_foreign(image, cell, index, engine)
    ]


def _is_foreign(image: ImageInfo, cell: str, index: ImageIndex, engine: Engine) -> bool:
    if index.is_build(image):
        return False
    if image.labels.get(LABEL_CELL) != cell:
        return True
    detail = engine.image(image.id)
    layers = detail.layers if detail else ()
    return any(len(layers) > len(one.layers) and layers[: len(one.layers)] == one.layers for one in _builds(cell))


def _builds(cell: str) -> Iterator[built.Built]:
    return (one for one in built.every() if one.cell == cell and one.layers)


def refusal(taken: list[Taken]) -> ForeignTag:
    """The error of a build that nobody allowed to take them."""
    return ForeignTag(
        f"{', '.join(map(str, taken))}: not built by rocmimg",
        why=f"a build of {', '.join(dict.fromkeys(one.cell for one in taken))} would take the name",
        next_step="give the image another name (`docker tag`), or build with --force",
    )
