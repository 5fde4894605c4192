"""``rocmimg export reference``."""

from __future__ import annotations

import click


@click.command()
def command() -> None:
    """Print every key of images.yaml, every flag, and every recipe with its options, in Markdown."""
    from rocmimg.matrix.reference import reference

    click.echo(reference(), nl=False)
