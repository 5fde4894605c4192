"""``rocmimg push``."""

from __future__ import annotations

import click

from rocmimg.cli.options import Choice, selection_options
from rocmimg.terminal import json_text


@click.command()
@selection_options
@click.option("--candidate", is_flag=True, help="Push the engine's images by immutable candidate tags.")
@click.option("--results", is_flag=True, help="Attach build/results to the candidates that they are about.")
@click.option("--json", "as_json", is_flag=True, help="An array of objects: id, reference, digest, new, attached.")
def command(
    choice: Choice,
    candidate: bool,
    results: bool,
    as_json: bool,
) -> int:
    """Push candidates with their provenance and results of checks; public names are set by `rocmimg promote` alone."""
    if candidate == results:
        raise click.UsageError("say --candidate or --results; public tags are set by `rocmimg promote`")
    from rocmimg.registry.client import Registries
    from rocmimg.release.batch import for_each_image
    from rocmimg.release.policy import trusts
    from rocmimg.release.push import push_candidate, push_results

    selected = choice.load(refs="known")
    images, registries, folder = selected.images(), Registries(), selected.build_folder
    trust = trusts(selected.matrix, selected.ids)
    if results:
        batch = for_each_image(images, lambda image, _: push_results(image, registries, folder, trust[image.id]))
    else:
        from rocmimg.engine import connect

        with connect() as engine:
            batch = for_each_image(
                images, lambda image, show: push_candidate(image, engine, registries, folder, trust[image.id], show)
            )
    if as_json:
        click.echo(json_text([one.as_json() for one in batch.done]))
    else:
        from rocmimg.report.table import print_table

        rows = [(p.id, p.reference, p.digest, " ".join(p.attached) or "nothing new") for p in batch.done]
        print_table(("cell", "candidate", "digest", "attached"), rows)
    return batch.report(click.echo)
