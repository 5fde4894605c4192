"""Every production cell, from its first instruction to its last."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

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


def test_what_no_trace_executes_is_counted_in_the_documentation(built: Built) -> None:
    text = (Path(IMAGES).parent / "docs" / "trace.md").read_text()
    rows = dict(re.findall(r"^\| `([\w-]+)` \| (\d+): ", text, re.MULTILINE))
    if built.cell.id in rows:
        assert int(rows[built.cell.id]) == len(built.trace.not_executed), built.trace.not_executed
