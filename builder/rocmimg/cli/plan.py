"""``rocmimg plan``."""

from __future__ import annotations

import json
from pathlib import Path

import click

from rocmimg.cli.options import load_selected, matrix_options, selection_options


@click.command()
@selection_options
@matrix_options
@click.option("--json", "as_json", is_flag=True, help="An array of objects: id, action, reasons, digest.")
def command(
    file: Path,
    sets: tuple[str, ...],
    cells: tuple[str, ...],
    targets: tuple[str, ...],
    archs: tuple[str, ...],
    variants: tuple[str, ...],
    as_json: bool,
) -> None:
    """Say for each cell whether it would be built, and which input changed."""
    from rocmimg.build import decide_all
    from rocmimg.engine import connect
    from rocmimg.plan import make_plan

    matrix, chosen = load_selected(file, sets, cells=cells, targets=targets, archs=archs, variants=variants)
    plan = make_plan(matrix, chosen)
    with connect() as engine:
        decisions = decide_all(plan, engine.images())
    if as_json:
        rows = [
            {
                "id": decision.id,
                "action": decision.action.replace(" ", "-"),
                "reasons": list(decision.reasons),
                "digest": decision.digest,
                "image_id": decision.image_id,
            }
            for decision in decisions
        ]
        click.echo(json.dumps(rows, indent=2))
        return
    from rocmimg.report.table import print_table

    print_table(("cell", "action", "why"), [(d.id, d.action, "; ".join(d.reasons)) for d in decisions])
