"""``rocmimg render``."""

from __future__ import annotations

from pathlib import Path

import click

from rocmimg.cli.options import Choice, say_left_out, selection_options
from rocmimg.errors import ConfigError


@click.command()
@selection_options
@click.option(
    "--output",
    "-o",
    type=click.Path(path_type=Path, file_okay=False),
    help="Write <cell>/Dockerfile and its context below this folder.",
)
@click.option("--caches", is_flag=True, help="With the cache mounts that a build adds to it.")
def command(
    choice: Choice,
    output: Path | None,
    caches: bool,
) -> None:
    """Print the Dockerfile of one cell, or write those of several."""
    from rocmimg.plan.export import write_contexts

    selected = choice.load()
    if output is None:
        if len(selected.ids) > 1:
            raise click.UsageError(
                f"{len(selected.ids)} cells are selected: {', '.join(selected.ids)}. Name one, or write them with "
                "--output DIR."
            )
        (image,) = selected.images()
        if image.prebuilt:
            raise ConfigError(
                f"{image.id} has no Dockerfile here",
                why=f"another pipeline builds {image.prebuilt}",
                position=image.cell.position("prebuilt"),
            )
        click.echo(image.build_files(caches=caches)[0], nl=False)
        return
    for path in write_contexts(selected.images(), output, caches=caches):
        click.echo(path)
    say_left_out(selected.images())
