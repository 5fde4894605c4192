"""What the verbs about contracts share: from cells and options to pairs of framework and source."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from rocmimg.cli.options import load_selected
from rocmimg.errors import SourceError

if TYPE_CHECKING:
    from rocmimg.contract.baseline import Accepted
    from rocmimg.contract.model import Contract
    from rocmimg.matrix import Cell, Matrix, ResolvedComponent


def named_sources(options: Sequence[str]) -> dict[str, str]:
    """PACKAGE=PLACE options by package."""
    named: dict[str, str] = {}
    for option in options:
        package, equals, place = option.partition("=")
        if not equals or not place or not all(part.isidentifier() for part in package.split(".")):
            raise click.UsageError(f"--source {option}: write PACKAGE=PLACE, for instance aiter=./aiter@v0.1.12")
        named[package] = place
    return named


def run_pairs(
    pairs: Sequence[tuple[str, str, str]], baseline: Sequence[Accepted], *, fetch: bool = False
) -> list[Contract]:
    """Check (framework, package, source) triples, each once."""
    from rocmimg.contract.check import Checker

    with Checker(refresh=fetch) as checker:
        return [
            checker.check(framework, package, place, baseline=baseline)
            for framework, package, place in dict.fromkeys(pairs)
        ]


def place_of(component: ResolvedComponent, cell: Cell, matrix: Matrix) -> str:
    """Where a component's sources are, as PATH_OR_GIT[@REF]; mirrors of the cell's network are used."""
    if component.local is not None:
        return str(matrix.folder / component.local)
    repo = component.config.repo
    for prefix, mirror in cell.config.network.git_mirrors.items():
        if repo.startswith(prefix):
            repo = mirror + repo[len(prefix) :]
            break
    return f"{repo}@{component.config.ref}" if component.config.ref else repo


def pairs_of(cell: Cell, matrix: Matrix, given: dict[str, str]) -> list[tuple[str, str, str]]:
    """(framework, package, source) of all components of a cell that may need one another.

    A source is a component whose package has rules; everything else in Python may need it.
    """
    from rocmimg.contract.rules import special_packages

    python = [component for component in cell.components if component.install is not None]
    known = special_packages()
    return [
        (place_of(framework, cell, matrix), source.module, given.get(source.module) or place_of(source, cell, matrix))
        for source in python
        if source.module in known or source.module in given or source.config.requires
        for framework in python
        if framework.name != source.name and framework.module not in known
    ]


def run_cells(
    file: Path,
    sets: tuple[str, ...],
    cells: tuple[str, ...],
    targets: tuple[str, ...],
    archs: tuple[str, ...],
    variants: tuple[str, ...],
    given: dict[str, str],
    baseline: Sequence[Accepted],
    *,
    fetch: bool = False,
) -> list[Contract]:
    """Check all selected cells; equal pins are checked once."""
    matrix, chosen = load_selected(file, sets, cells=cells, targets=targets, archs=archs, variants=variants)
    pairs = [pair for cell in chosen for pair in pairs_of(matrix.cell(cell), matrix, given)]
    if not pairs:
        click.echo("no cell has both a framework and a source that it needs: nothing to hold against another", err=True)
    return run_pairs(pairs, baseline, fetch=fetch)


def repository_of(package: str) -> str:
    """The repository that images.yaml names for a package."""
    from rocmimg.matrix import load

    matrix = load(Path("images.yaml"))
    for cell in matrix.cells:
        for component in cell.components:
            if component.module == package and component.local is None:
                return place_of(component, cell, matrix).partition("@")[0]
    raise SourceError(f"images.yaml names no repository for {package!r}", next_step=f"give one: --source {package}=GIT")
