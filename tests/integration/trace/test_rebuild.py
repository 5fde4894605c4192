"""What another pin of AITER re-runs, on the engine, against what `rocmimg plan --changed` says."""

from __future__ import annotations

import pytest
from tracing import IMAGES
from tracing.build import Tracer, made_by, production_cells
from tracing.rebuild import known, ran

from rocmimg.matrix import load
from rocmimg.plan import make_plan
from rocmimg.plan.changed import after_change_of

pytestmark = pytest.mark.engine
CELL = next(cell.id for cell in production_cells(IMAGES) if made_by(cell, "aiter") and made_by(cell, "mooncake"))
ANOTHER = "components.aiter.ref=0123456789abcdef0123456789abcdef01234567"


def test_another_pin_of_aiter_reruns_aiter_and_the_assembly_only(tracer: Tracer) -> None:
    tracer.build(CELL)
    # A pin that no run has had: the engine's cache outlives the test.
    steps = tracer.build(CELL, f"{ANOTHER[:-8]}{tracer.fresh()}").steps
    matrix = load(IMAGES)
    (said,) = after_change_of(make_plan(matrix, [CELL]), ["aiter"])
    assert list(said.stages) == ["aiter", "final"]
    assert set(ran(steps)) == set(said.stages)
    assert set(known(steps)) == {*said.stages, *said.kept}
