"""``rocmimg prune``."""

from __future__ import annotations

import json

import click

from rocmimg.cli.options import Choice, selection_options


@click.command()
@selection_options
@click.option("--yes", is_flag=True, help="Remove them; without it, only say what would be removed.")
@click.option("--json", "as_json", is_flag=True, help="An array of objects: name, digest, reason, image.")
def command(
    choice: Choice,
    yes: bool,
    as_json: bool,
) -> None:
    """Remove old candidates and old dated tags from the registry, by `release` in images.yaml.

    What an alias names, or named before its last promotion, always stays. The registry frees the space itself, in its
    garbage collection.
    """
    from datetime import UTC, datetime

    from rocmimg.release.promote import open_release
    from rocmimg.release.prune import plan_prune, remove

    selected = choice.load(refs="known")
    release = open_release(selected.matrix, selected.ids, lambda text: click.echo(text, err=True), suite=False)
    removals = plan_prune(release, datetime.now(UTC).date())
    if yes:
        removals = remove(release, removals)
    rows = [removal.as_json() for removal in removals]
    if as_json:
        click.echo(json.dumps(rows, indent=2))
        return
    from rocmimg.report.table import print_table

    if not rows:
        click.echo("nothing to remove")
        return
    header = ("removed" if yes else "would be removed", "digest", "why", "image")
    print_table(header, [(row["name"], row["digest"], row["reason"], row["image"]) for row in rows])
