"""``rocmimg pull``."""

from __future__ import annotations

import click

from rocmimg.cli.options import Choice, selection_options
from rocmimg.terminal import json_text


@click.command()
@selection_options
@click.option("--json", "as_json", is_flag=True, help="An array of objects: id, reference, digest, new.")
def command(
    choice: Choice,
    as_json: bool,
) -> int:
    """Bring the candidates that fit images.yaml to this engine, to check them or to build on them."""
    from rocmimg.engine import connect
    from rocmimg.registry.client import Registries
    from rocmimg.release.batch import for_each_image
    from rocmimg.release.policy import trusts
    from rocmimg.release.push import pull_candidate

    selected = choice.load(refs="known")
    registries, trust = Registries(), trusts(selected.matrix, selected.ids)
    with connect() as engine:
        batch = for_each_image(
            selected.images(),
            lambda image, show: pull_candidate(image, engine, registries, trust[image.id], show),
        )
    if as_json:
        click.echo(json_text([one.as_json() for one in batch.done]))
    else:
        from rocmimg.report.table import print_table

        rows = [(p.id, p.reference, "pulled" if p.new else "was here") for p in batch.done]
        print_table(("cell", "candidate", "state"), rows)
    return batch.report(click.echo)
