"""``rocmimg pull``."""

from __future__ import annotations

import json
from pathlib import Path

import click

from rocmimg.cli.options import load_selected, matrix_options, selection_options


@click.command()
@selection_options
@matrix_options
@click.option("--json", "as_json", is_flag=True, help="An array of objects: id, reference, digest, new.")
def command(
    file: Path,
    sets: tuple[str, ...],
    cells: tuple[str, ...],
    targets: tuple[str, ...],
    archs: tuple[str, ...],
    variants: tuple[str, ...],
    as_json: bool,
) -> int:
    """Bring the candidates that fit images.yaml to this engine, to check them or to build on them."""
    from rocmimg.engine import connect
    from rocmimg.plan import make_plan
    from rocmimg.registry.client import Registries
    from rocmimg.release.batch import for_each_image
    from rocmimg.release.policy import trusts
    from rocmimg.release.push import pull_candidate

    matrix, chosen = load_selected(file, sets, cells=cells, targets=targets, archs=archs, variants=variants)
    plan, registries, trust = make_plan(matrix, chosen), Registries(), trusts(matrix, chosen)
    with connect() as engine:
        batch = for_each_image(
            [plan[cell] for cell in chosen],
            lambda image, show: pull_candidate(image, engine, registries, trust[image.id], show),
        )
    if as_json:
        click.echo(json.dumps([one.as_json() for one in batch.done], indent=2))
    else:
        from rocmimg.report.table import print_table

        rows = [(p.id, p.reference, "pulled" if p.new else "was here") for p in batch.done]
        print_table(("cell", "candidate", "state"), rows)
    return batch.report(click.echo)
