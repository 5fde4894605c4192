"""The checks of pins, for the components of cells."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from rocmimg.errors import SourceError
from rocmimg.preflight.contracts import components_of, pairs_of, place_of

if TYPE_CHECKING:
    from rocmimg.contract.check import Checker
    from rocmimg.contract.pins import PinFinding
    from rocmimg.matrix import Cell, Matrix, ResolvedComponent


def check_pins(
    checker: Checker, cells: Sequence[Cell], matrix: Matrix, *, checkout: bool
) -> tuple[list[dict[str, Any]], list[str]]:
    """Findings about the pins that the contract reads anyway, each with its ``place``, and what could not be read."""
    found: dict[tuple[str, str], dict[str, Any]] = {}
    not_read: dict[str, None] = {}
    for cell in cells:
        wanted = {place for pair in pairs_of(cell, matrix, {}) for place in (pair.framework, pair.source)}
        for component, owner in components_of(cell, matrix).values():
            place = place_of(component, owner, matrix)
            if place not in wanted:
                continue
            try:
                for finding in _check(checker, component, place, _base(owner, matrix), checkout=checkout):
                    found[place, finding.message] = {"component": component.name, "place": place} | asdict(finding)
            except SourceError as error:
                not_read[f"not run: pins of {place}: {error}"] = None
    return list(found.values()), list(not_read)


def _check(
    checker: Checker, component: ResolvedComponent, place: str, base: str, *, checkout: bool
) -> Iterator[PinFinding]:
    from rocmimg.contract import pins
    from rocmimg.contract.stores import GitStore

    store = checker.store(place)
    findings = [
        pins.check_triton_swap(store, component.recipe.env),
        pins.check_python(store, base),
        pins.check_cmake(store, component.tools.get("cmake", "")),
    ]
    if component.recipe.prebuilt:
        findings.append(pins.check_prebuild(store, way="wheel" if component.install == "wheel" else "build_ext"))
    yield from (finding for finding in findings if finding is not None)
    if checkout and isinstance(store, GitStore):
        yield from pins.check_checkout(store.repository, store.commit)


def _base(cell: Cell, matrix: Matrix) -> str:
    """The image that a cell starts from in the end."""
    return _base(matrix.cell(cell.base_cell), matrix) if cell.base_cell else cell.config.base.image
