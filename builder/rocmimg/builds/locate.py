"""The built image of a cell."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from rocmimg.builds.decide import UP_TO_DATE, ImageIndex, decide_all
from rocmimg.engine import ImageInfo
from rocmimg.plan import ImagePlan, Plan


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageUnderTest:
    """A cell and the image that stands for it."""

    plan: ImagePlan
    image: ImageInfo | None
    digest: str
    """The plan's digest; empty while its base is not there."""
    reason: str = ""
    """Why there is no image, or how it differs from the plan."""


def locate(plan: Plan, cells: Iterable[str], images: Iterable[ImageInfo]) -> list[ImageUnderTest]:
    """For each cell the image that carries its tag; for a cell without tags the newest that was built for it.

    Another version of the cell does not stand in for the one that is asked for.
    """
    listed = tuple(images)
    index = ImageIndex(listed)
    decisions = {decision.id: decision for decision in decide_all(plan, listed)}
    found: list[ImageUnderTest] = []
    for cell_id in cells:
        image = plan[cell_id]
        decision = decisions[cell_id]
        candidates = [index.find(tag) for tag in image.cell.tags] or index.of_cell(cell_id)
        chosen = next((info for info in candidates if info), None)
        if chosen is None:
            reason = f"there is no image: run `rocmimg build {cell_id}`"
        elif decision.digest is None:
            reason = "whether it is what the plan says cannot be told: its base is not here"
        else:
            reason = "" if decision.action == UP_TO_DATE else f"not what the plan says: {'; '.join(decision.reasons)}"
        found.append(ImageUnderTest(plan=image, image=chosen, digest=decision.digest or "", reason=reason))
    return found
