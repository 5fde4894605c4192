"""Options that several verbs share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from rocmimg.matrix import Matrix

F = TypeVar("F", bound=Callable[..., Any])


def matrix_options(function: F) -> F:
    """``--file`` and ``--set``: which matrix, changed how."""
    for option in (
        click.option(
            "--set",
            "sets",
            metavar="PATH=VALUE",
            multiple=True,
            envvar="ROCMIMG_SET",
            help="Change the selected cells, for instance components.aiter.ref=v0.1.12. Repeatable; also ROCMIMG_SET.",
        ),
        click.option(
            "--file",
            "-f",
            "file",
            default="images.yaml",
            show_default=True,
            envvar="ROCMIMG_FILE",
            type=click.Path(path_type=Path, dir_okay=False),
            help="The matrix.",
        ),
    ):
        function = option(function)
    return function


def selection_options(function: F) -> F:
    """``[CELLS]... --target --arch --variant``: which cells."""
    for decorator in (
        click.option("--variant", "variants", multiple=True, help="Only these variants."),
        click.option("--arch", "archs", multiple=True, help="Only these GPU architectures, for instance gfx942."),
        click.option("--target", "targets", multiple=True, help="Only these targets; shell patterns work."),
        click.argument("cells", nargs=-1),
    ):
        function = decorator(function)
    return function


def load_selected(
    file: Path,
    sets: tuple[str, ...],
    *,
    cells: tuple[str, ...] = (),
    targets: tuple[str, ...] = (),
    archs: tuple[str, ...] = (),
    variants: tuple[str, ...] = (),
) -> tuple[Matrix, list[str]]:
    """The matrix with the ``--set`` values applied, and the ids of the selected cells."""
    from rocmimg.matrix import Selection, load, parse_set, select

    selection = Selection(ids=cells, targets=targets, archs=archs, variants=variants)
    matrix = load(file, sets=[parse_set(text) for text in sets], selection=selection)
    return matrix, select(matrix.cells, selection)
