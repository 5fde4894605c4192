"""``rocmimg prune``."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

from rocmimg.cli.options import Choice, selection_options

if TYPE_CHECKING:
    from rocmimg.builds.local import Unneeded
    from rocmimg.release.prune import Removal


@click.command()
@selection_options
@click.option("--local", is_flag=True, help="Remove instead images that were built here and that no cell needs.")
@click.option("--yes", is_flag=True, help="Remove them; without it, only say what would be removed.")
@click.option(
    "--json",
    "as_json",
    is_flag=True,
    help="An array of objects: name, digest, reason, image; with --local: image, cell, names, size, reason, kept.",
)
def command(
    choice: Choice,
    local: bool,
    yes: bool,
    as_json: bool,
) -> None:
    """Remove old candidates and old dated tags from the registry, by `release` in images.yaml.

    What an alias names, or named before its last promotion, always stays. The registry frees the space itself, in its
    garbage collection.

    With --local: images on this engine that builds here made, whose names no cell has or a later build took. Images in
    other repositories and of other projects stay.
    """
    if local and choice.restricts:
        raise click.UsageError("--local looks at all cells: name none.")
    rows: list[dict[str, Any]]
    rows = [one.as_json() for one in (_local(choice, yes=yes) if local else _registry(choice, yes=yes))]
    if as_json:
        click.echo(json.dumps(rows, indent=2))
        return
    from rocmimg.report.table import print_table

    if not rows:
        click.echo("nothing to remove")
        return
    done = "removed" if yes else "would be removed"
    if not local:
        print_table(
            (done, "digest", "why", "image"),
            [(row["name"], row["digest"], row["reason"], row["image"]) for row in rows],
        )
        return
    gone = [row for row in rows if not row["kept"]]
    print_table(
        ("image", "names", "cell", "size", "why", done),
        [
            (
                row["image"].removeprefix("sha256:")[:12],
                " ".join(row["names"]),
                row["cell"],
                f"{row['size'] / 1e6:.0f} MB",
                row["reason"],
                f"no: {row['kept']}" if row["kept"] else "yes",
            )
            for row in rows
        ],
    )
    click.echo(f"{len(gone)} {done}, {sum(row['size'] for row in gone) / 1e6:.0f} MB with what they share with others")


def _local(choice: Choice, *, yes: bool) -> list[Unneeded]:
    from rocmimg.builds.local import remove, unneeded
    from rocmimg.engine import connect

    matrix = choice.load(lock=False).matrix
    with connect() as engine:
        found = unneeded({cell.id: cell.tags for cell in matrix.cells}, engine.images())
        return remove(engine, found) if yes else found


def _registry(choice: Choice, *, yes: bool) -> list[Removal]:
    from datetime import UTC, datetime

    from rocmimg.release.promote import open_release
    from rocmimg.release.prune import plan_prune, remove

    selected = choice.load(refs="known")
    release = open_release(selected.matrix, selected.ids, lambda text: click.echo(text, err=True), suite=False)
    removals = plan_prune(release, datetime.now(UTC).date())
    return remove(release, removals) if yes else removals
