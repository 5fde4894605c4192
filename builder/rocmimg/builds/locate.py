"""The image to judge: of a cell, or any image that somebody names."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from rocmimg.builds.decide import NOT_A_BUILD, UP_TO_DATE, ImageIndex, decide_all
from rocmimg.engine import Event, ImageDetail, ImageInfo, Transfer
from rocmimg.errors import RocmimgError
from rocmimg.plan import LABEL_CELL, ImagePlan, Plan
from rocmimg.plan.expected import ExpectedImage

if TYPE_CHECKING:
    from rocmimg.engine import Engine

_REFERENCE: Final = re.compile(r"[/:@.]|^[0-9a-f]{12,64}$")
_ARCH_LABEL: Final = re.compile(r"gfx|(gpu|rocm|offload)[-_.]?(arch|target)", re.IGNORECASE)
_ARCH_VARIABLES: Final = ("PYTORCH_ROCM_ARCH", "GPU_ARCHS", "AMDGPU_TARGETS", "HCC_AMDGPU_TARGET")
_GFX: Final = re.compile(r"gfx(?:[0-9]+(?:-[0-9]+)*-generic|[0-9a-f]{3,4}(?![0-9a-z]))")


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageUnderTest:
    """An image and what is expected of it."""

    expected: ExpectedImage
    image: ImageInfo | ImageDetail | None
    plan: ImagePlan | None = None
    """None for an image that images.yaml does not describe."""
    reason: str = ""
    """Why there is no image, or how it differs from the plan."""


def pull_prebuilt(plan: Plan, cells: Iterable[str], engine: Engine, tell: Callable[[str, str], None]) -> dict[str, str]:
    """Bring the images of these cells that other pipelines build; the cells whose image cannot be had, and why."""
    failed: dict[str, str] = {}
    for cell in cells:
        reference = plan[cell].prebuilt
        if reference and engine.image(reference) is None:
            try:
                engine.pull(reference, partial(_tell_of_pull, tell, cell))
            except RocmimgError as error:
                failed[cell] = str(error)
    return failed


def locate(
    plan: Plan, cells: Iterable[str], images: Iterable[ImageInfo], failed: Mapping[str, str] = MappingProxyType({})
) -> list[ImageUnderTest]:
    """For each cell the image that carries its tag; for a cell without tags the newest that was built for it.

    Another version of the cell does not stand in for the one that is asked for. ``failed``: why a cell's image could
    not be pulled.
    """
    listed = tuple(images)
    index = ImageIndex(listed)
    decisions = {decision.id: decision for decision in decide_all(plan, listed)}
    found: list[ImageUnderTest] = []
    for cell_id in cells:
        image = plan[cell_id]
        decision = decisions[cell_id]
        names = (image.prebuilt,) if image.prebuilt else image.cell.tags
        candidates = [index.find(name) for name in names] or index.of_cell(cell_id)
        chosen = next((info for info in candidates if info), None)
        if chosen is None:
            reason = failed.get(cell_id) or f"there is no image: run `rocmimg build {cell_id}`"
        elif not image.prebuilt and not index.is_build(chosen):
            reason, chosen = f"{NOT_A_BUILD}: run `rocmimg build {cell_id}`", None
        elif decision.digest is None:
            reason = "whether it is what the plan says cannot be told: its base is not here"
        else:
            reason = "" if decision.action == UP_TO_DATE else f"not what the plan says: {'; '.join(decision.reasons)}"
        # What another pipeline built has no label with the digest of a plan.
        expected = image.expected.model_copy(update={"digest": "" if image.prebuilt else decision.digest or ""})
        found.append(ImageUnderTest(plan=image, expected=expected, image=chosen, reason=reason))
    return found


def as_configured(expected: ExpectedImage, image: ImageDetail) -> ExpectedImage:
    """``expected`` with what the image's own configuration says, where no plan says it."""
    if expected.configured:
        return expected
    own = {
        "workdir": image.workdir,
        "user": image.user or "root",
        "entrypoint": image.entrypoint,
        "command": image.cmd,
    }
    return expected.model_copy(update=own)


def is_reference(name: str) -> bool:
    """Whether a word can only be an image's reference or id, not a cell's or a target's name."""
    return bool(_REFERENCE.search(name))


def locate_references(
    engine: Engine, references: Iterable[str], archs: Sequence[str], tell: Callable[[str, str], None]
) -> list[ImageUnderTest]:
    """The images of these references or ids; what the engine has not is pulled. ``archs``: what they must be for.

    A reference that cannot be had is an entry without an image. ``tell`` gets the reference and what is done with it.
    """

    def pulled(reference: str) -> ImageDetail | None:
        tell(reference, "pulling")
        return engine.image(engine.pull(reference, lambda event: tell(reference, _said(event))))

    found: list[ImageUnderTest] = []
    for reference in dict.fromkeys(references):
        try:
            image = engine.image(reference) or pulled(reference)
            reason = ""
        except RocmimgError as error:
            image, reason = None, str(error)
        found.append(ImageUnderTest(expected=unplanned(reference, image, archs), image=image, reason=reason))
    return found


def _tell_of_pull(tell: Callable[[str, str], None], name: str, event: Event) -> None:
    tell(name, _said(event))


def _said(event: Event) -> str:
    if isinstance(event, Transfer) and event.total:
        return f"{event.what} {event.current / 1e6:.0f} of {event.total / 1e6:.0f} MB"
    return "pulling"


def unplanned(reference: str, image: ImageDetail | None, archs: Sequence[str]) -> ExpectedImage:
    """What can be expected of an image that no plan describes: what its own configuration says."""
    source = "--arch"
    if not archs:
        said = (
            (place, tuple(dict.fromkeys(_GFX.findall(text)))) for place, text in (_declared(image) if image else ())
        )
        source, archs = next(((place, found) for place, found in said if found), ("", ()))
    return ExpectedImage(
        cell=reference,
        target="",
        arch=archs[0] if len(archs) == 1 else "all" if archs else "",
        archs=tuple(archs),
        archs_from=source,
        planned=False,
        python="python3",
        workdir=image.workdir if image else "/",
        user=image.user or "root" if image else "root",
        entrypoint=image.entrypoint if image else (),
        command=image.cmd if image else (),
        env={},
        labels={},
        digest="",
        keep=(),
        components=(),
        torch="",
        max_image_mib=0,
        max_layer_mib=0,
    )


def _declared(image: ImageDetail) -> list[tuple[str, str]]:
    """Where an image's configuration can name its GPU architectures, and what it says there."""
    labels = {n: v for n, v in image.labels.items() if n == LABEL_CELL or _ARCH_LABEL.search(n)}
    variables = {name: image.env[name] for name in _ARCH_VARIABLES if name in image.env}
    return [*((f"label {n}", v) for n, v in labels.items()), *((f"variable {n}", v) for n, v in variables.items())]
