"""One engine and one set of stub bases for all trace tests; nothing but those bases is left behind."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tracing import IMAGES
from tracing.build import Tracer
from tracing.stub import StubBases

from rocmimg.engine.client import Engine


@pytest.fixture(scope="session")
def make_tracer(host_engine: Engine) -> Iterator[Callable[[Path], Tracer]]:
    made: list[Tracer] = []
    stubs = StubBases(host_engine)

    def make(file: Path) -> Tracer:
        made.append(Tracer(host_engine, stubs, file))
        return made[-1]

    yield make
    for tracer in reversed(made):
        tracer.close()


@pytest.fixture(scope="session")
def tracer(make_tracer: Callable[[Path], Tracer]) -> Tracer:
    return make_tracer(IMAGES)
