"""The matrix that comes with rocmimg, as every test here reads it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from rocmimg.matrix import Matrix, Selection, load, parse_set
from rocmimg.render import Rendered, render

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="session")
def production() -> Matrix:
    return load(ROOT / "images.yaml")


@pytest.fixture(scope="session")
def dockerfiles(production: Matrix) -> dict[str, Rendered]:
    """Every cell's Dockerfile."""
    return {cell.id: render(production, cell) for cell in production.cells}


@pytest.fixture
def changed() -> Callable[..., Rendered]:
    """A cell of the production matrix with `--set` values."""

    def read(cell_id: str, *sets: str) -> Rendered:
        matrix = load(ROOT / "images.yaml", sets=[parse_set(s) for s in sets], selection=Selection(ids=(cell_id,)))
        return render(matrix, matrix.cell(cell_id))

    return read


def stage(rendered: Rendered, name: str) -> str:
    return next(part.text for part in rendered.stages if part.name == name)
