"""A build that has nothing to do, told from the kept plan: the matrix is not read, docker-py is not imported."""

from __future__ import annotations

import os
import time

from rocmimg.builds.decide import UP_TO_DATE, decide_all
from rocmimg.builds.results import CellResult
from rocmimg.engine.ask import images
from rocmimg.engine.endpoint import resolve
from rocmimg.errors import RocmimgError
from rocmimg.plan.memory import KeptPlan, Memory


def nothing_to_do(memory: Memory) -> list[CellResult] | None:
    """The results of the build, in the plan's order; None where a cell is to be built or it cannot be told."""
    if os.environ.get("SOURCE_DATE_EPOCH"):
        return None
    plan = KeptPlan.read(memory.recall())
    if plan is None:
        return None
    try:
        there = images(resolve())
    except RocmimgError:
        return None
    if there is None:
        return None
    began = time.time()
    decisions = decide_all(plan, there)
    if any(decision.action != UP_TO_DATE for decision in decisions):
        return None
    return [
        CellResult(
            id=image.id,
            status=UP_TO_DATE,
            seconds=0,
            started=began,
            image_id=decision.image_id,
            digest=decision.digest,
            tags=image.tags,
        )
        for image, decision in zip(plan.images, decisions, strict=True)
    ]
