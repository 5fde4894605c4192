"""``rocmimg export schema``."""

from __future__ import annotations

import json

import click


@click.command()
def command() -> None:
    """Print the JSON schema of images.yaml, for editors."""
    from rocmimg.matrix.schema import schema

    click.echo(json.dumps(schema(), indent=2))
