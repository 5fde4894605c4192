"""``rocmimg render``."""

from __future__ import annotations

from pathlib import Path

import click

from rocmimg.cli.options import load_selected, matrix_options, selection_options


@click.command()
@selection_options
@matrix_options
@click.option(
    "--output",
    "-o",
    type=click.Path(path_type=Path, file_okay=False),
    help="Write <cell>/Dockerfile and its context below this folder.",
)
def command(
    file: Path,
    sets: tuple[str, ...],
    cells: tuple[str, ...],
    targets: tuple[str, ...],
    archs: tuple[str, ...],
    variants: tuple[str, ...],
    output: Path | None,
) -> None:
    """Print the Dockerfile of one cell, or write those of several."""
    from rocmimg.plan import make_plan
    from rocmimg.plan.export import write_contexts

    matrix, chosen = load_selected(file, sets, cells=cells, targets=targets, archs=archs, variants=variants)
    if output is None:
        if len(chosen) > 1:
            raise click.UsageError(
                f"{len(chosen)} cells are selected: {', '.join(chosen)}. Select one with --target and --arch, "
                "or write them with --output DIR."
            )
        click.echo(make_plan(matrix, chosen)[chosen[0]].dockerfile, nl=False)
        return
    plan = make_plan(matrix, chosen)
    for path in write_contexts([plan[cell] for cell in chosen], output):
        click.echo(path)
