"""``rocmimg list``."""

from __future__ import annotations

import json
from pathlib import Path

import click

from rocmimg.cli.options import load_selected, matrix_options, selection_options


@click.command()
@selection_options
@matrix_options
@click.option("--json", "as_json", is_flag=True, help="An array of objects.")
def command(
    file: Path,
    sets: tuple[str, ...],
    cells: tuple[str, ...],
    targets: tuple[str, ...],
    archs: tuple[str, ...],
    variants: tuple[str, ...],
    as_json: bool,
) -> None:
    """List the cells of the matrix."""
    from rocmimg.plan.expected import expected_image

    matrix, chosen = load_selected(file, sets, cells=cells, targets=targets, archs=archs, variants=variants)
    rows = [expected_image(matrix, matrix.cell(cell)).as_json() for cell in chosen]
    if as_json:
        click.echo(json.dumps(rows, indent=2))
        return
    from rocmimg.report.table import print_table

    print_table(
        ("cell", "base", "components", "tag"),
        [(row["id"], row["base"], str(len(row["components"])), next(iter(row["tags"]), "")) for row in rows],
    )
