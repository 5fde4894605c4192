"""What is up to date: the plan's digest against the labels of the images that the engine has."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final, Literal, Protocol

from rocmimg import built
from rocmimg.built import Built
from rocmimg.engine import ImageInfo
from rocmimg.plan import LABEL_CELL, LABEL_DIGEST, LABEL_INPUTS
from rocmimg.plan.recognition import Recognizable

NOT_A_BUILD: Final = "no build recorded here made this image, it only has the labels"
UP_TO_DATE: Final = "up-to-date"
SCRATCH: Final = "scratch"
"""What an empty base is called, and its id."""
Action = Literal["build", "up-to-date"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What is to be done for one image, and why."""

    id: str
    action: Action
    reasons: tuple[str, ...]
    digest: str | None
    """None while the base image is not there: its id is one of the inputs."""
    image_id: str | None
    """The image that is up to date."""

    def as_json(self) -> dict[str, Any]:
        """One row of ``plan --json``."""
        return {**asdict(self), "reasons": list(self.reasons)}


class ImageIndex:
    """The engine's images at one moment, by reference and by label."""

    def __init__(self, images: Iterable[ImageInfo], find: Callable[[str], Built | None] | None = None) -> None:
        self.images = tuple(images)
        self._find = find or built.find
        self._by_ref = {ref: image for image in self.images for ref in (*image.tags, *image.digests)}

    def find(self, ref: str) -> ImageInfo | None:
        """The image that ``ref`` names; a name without tag means ``latest``."""
        name = ref.rpartition("/")[2]
        full = ref if "@" in name or ":" in name else f"{ref}:latest"
        if "@" in full:  # repository:tag@digest pins by the digest alone
            repository, _, digest = full.partition("@")
            full = f"{repository.rsplit(':', 1)[0] if ':' in repository.rpartition('/')[2] else repository}@{digest}"
        return self._by_ref.get(full)

    def is_build(self, image: ImageInfo) -> bool:
        """Whether a build made exactly this image; one made FROM it, or committed over its tag, has its labels too."""
        found = self._find(image.id)
        return found is not None and (found.cell, found.plan) == (
            image.labels.get(LABEL_CELL),
            image.labels.get(LABEL_DIGEST),
        )

    def of_cell(self, cell_id: str) -> list[ImageInfo]:
        """Builds of a cell, newest first."""
        mine = [one for one in self.images if one.labels.get(LABEL_CELL) == cell_id and self.is_build(one)]
        return sorted(mine, key=lambda image: image.created, reverse=True)


def decide(image: Recognizable, base_id: str | None, index: ImageIndex, *, force: bool = False) -> Decision:
    """Build or up to date. ``base_id`` is the base image's id, None where it has to be pulled or built first."""

    def build(*reasons: str, digest: str | None = None) -> Decision:
        return Decision(id=image.id, action="build", reasons=reasons, digest=digest, image_id=None)

    if image.prebuilt:
        if base_id is None:
            return build(f"{image.prebuilt} is to be pulled", digest=image.pinned_digest)
        return Decision(id=image.id, action=UP_TO_DATE, reasons=(), digest=image.pinned_digest, image_id=base_id)
    if base_id is None:
        why = f"base {image.needs} is to be built" if image.needs else f"base {image.base} is to be pulled"
        return build(why)
    digest = image.digest(base_id)
    if force:
        return build("forced", digest=digest)
    tagged = index.find(image.tags[0]) if image.tags else next(iter(index.of_cell(image.id)), None)
    if tagged is None or tagged.labels.get(LABEL_CELL) != image.id:
        earlier = index.of_cell(image.id)
        if not earlier:
            return build("no image yet", digest=digest)
        return build(f"no image is tagged {image.tags[0]}", digest=digest)
    if tagged.labels.get(LABEL_DIGEST) != digest:
        return build(*_changes(image.all_inputs(base_id), tagged), digest=digest)
    if not index.is_build(tagged):
        return build(NOT_A_BUILD, digest=digest)
    if missing := [tag for tag in image.tags if index.find(tag) != tagged]:
        return build(*(f"tag {tag} is missing" for tag in missing), digest=digest)
    return Decision(id=image.id, action=UP_TO_DATE, reasons=(), digest=digest, image_id=tagged.id)


def _changes(inputs: dict[str, str], image: ImageInfo) -> list[str]:
    try:
        before: dict[str, str] = json.loads(image.labels.get(LABEL_INPUTS, ""))
    except ValueError:
        return ["the image does not say what it was built from"]
    changed = [f"{name} changed" for name in inputs if name in before and before[name] != inputs[name]]
    if len(changed) > 1 and "manifest changed" in changed:
        changed.remove("manifest changed")  # it follows from the others
    added = [f"{name} is new" for name in inputs if name not in before]
    removed = [f"{name} is gone" for name in before if name not in inputs]
    return [*changed, *added, *removed] or ["the image's digest label was changed"]


def base_id_of(image: Recognizable, index: ImageIndex) -> str | None:
    """The id of what ``image`` starts from, or is, as far as it is there; for a rootfs, its key."""
    if image.base == SCRATCH and not image.rootfs_key:
        return SCRATCH
    if image.rootfs_key:
        return f"rootfs {image.rootfs_key}"
    found = index.find(image.base)
    return found.id if found else None


class HasImages(Protocol):
    """A plan, or the part of it that was kept."""

    @property
    def images(self) -> Sequence[Recognizable]: ...


def decide_all(plan: HasImages, images: Iterable[ImageInfo], *, force: bool = False) -> list[Decision]:
    """One decision an image, in the plan's order; a cell whose base will be built is to be built as well."""
    index = ImageIndex(images)
    decisions: dict[str, Decision] = {}
    for image in plan.images:
        base = base_id_of(image, index)
        if image.needs and decisions[image.needs].action == "build":
            base = None
        decisions[image.id] = decide(image, base, index, force=force)
    return list(decisions.values())
