"""Every production cell, from its first instruction to its last."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from tracing import IMAGES
from tracing.build import Built, Tracer, production_cells
from tracing.claims import CLAIMS

pytestmark = pytest.mark.engine
CELLS = [cell.id for cell in production_cells(IMAGES)]


@pytest.fixture(scope="module", params=CELLS)
def built(request: pytest.FixtureRequest, tracer: Tracer) -> Built:
    return tracer.build(request.param)


@pytest.mark.parametrize("claim", CLAIMS, ids=lambda claim: claim.__name__)
def test_claim(built: Built, claim: Callable[[Built], None]) -> None:
    claim(built)
