"""``rocmimg export bake``."""

from __future__ import annotations

from pathlib import Path

import click

from rocmimg.cli.options import Choice, say_left_out, selection_options


@click.command()
@selection_options
@click.option(
    "--output",
    "-o",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("build/bake"),
    show_default=True,
    help="Folder of docker-bake.json and the contexts.",
)
@click.option("--cache", metavar="REPOSITORY", default="", help="Keep the cache of every stage in this repository.")
def command(
    choice: Choice,
    output: Path,
    cache: str,
) -> None:
    """Write docker-bake.json and its contexts: the same images for `docker buildx bake` with any builder."""
    from rocmimg.release.bake import bake_command, write_bake

    selected = choice.load()
    plan = selected.plan()
    path = write_bake(plan.images, output, cache=cache)
    click.echo(f"{path}\nrun: {bake_command(plan.images, path.parent)}")
    say_left_out(plan.images)
    for image in plan.images:
        if image.rootfs and not image.rootfs.archive.exists():
            click.echo(f"note: {image.id} needs a root file system that `rocmimg build {image.id}` makes", err=True)
