"""Images of builds here that no cell needs any more."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from rocmimg import built
from rocmimg.builds.decide import ImageIndex
from rocmimg.engine import ImageInfo
from rocmimg.errors import RocmimgError
from rocmimg.plan import LABEL_CELL

if TYPE_CHECKING:
    from rocmimg.engine import Engine


@dataclass(frozen=True, slots=True, kw_only=True)
class Unneeded:
    """One image that can go."""

    image_id: str
    cell: str
    """The cell that it was built for."""
    names: tuple[str, ...]
    size: int
    """Bytes; layers that it shares with others are counted here too."""
    reason: str
    kept: str = ""
    """Why it could not be removed."""

    def as_json(self) -> dict[str, Any]:
        """One element of ``prune --local --json``."""
        return {
            "image": self.image_id,
            "cell": self.cell,
            "names": list(self.names),
            "size": self.size,
            "reason": self.reason,
            "kept": self.kept,
        }


def unneeded(tags: Mapping[str, Sequence[str]], images: Iterable[ImageInfo]) -> list[Unneeded]:
    """Of the images that builds here made, those that no cell needs; ``tags`` has the tags of every cell of a matrix.

    Other projects have images here too, and so have people: what has a name in a repository that is not the matrix's
    stays, and so does an image without a name whose cell the matrix does not have.
    """
    index = ImageIndex(images)
    wanted = {tag for names in tags.values() for tag in names}
    repositories = {_repository(tag) for tag in wanted}
    found = []
    for image in index.images:
        cell = image.labels.get(LABEL_CELL, "")
        if not cell or not index.is_build(image) or wanted.intersection(image.tags):
            continue
        if reason := _reason(image, cell, tags, repositories, index):
            found.append(Unneeded(image_id=image.id, cell=cell, names=image.tags, size=image.size, reason=reason))
    return found


def _reason(
    image: ImageInfo, cell: str, tags: Mapping[str, Sequence[str]], repositories: set[str], index: ImageIndex
) -> str:
    if image.tags:
        ours = all(_repository(tag) in repositories for tag in image.tags)
        return "no cell has its name" if ours else ""
    newest = next(iter(index.of_cell(cell)), None)
    if cell not in tags or (not tags[cell] and newest and newest.id == image.id):
        return ""
    return "a later build took its name" if tags[cell] else "there is a later build"


def remove(engine: Engine, images: Iterable[Unneeded]) -> list[Unneeded]:
    """Remove them; those that are in use stay, with the engine's reason in ``kept``."""
    done = []
    for image in images:
        try:
            for name in image.names or (image.image_id,):
                engine.remove(name)
        except RocmimgError as error:
            done.append(replace(image, kept=error.why or str(error)))
        else:
            built.forget(image.image_id)
            done.append(image)
    return done


def _repository(tag: str) -> str:
    name, colon, last = tag.rpartition(":")
    return name if colon and "/" not in last else tag
