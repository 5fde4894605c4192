"""``rocmimg prune``."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import click

from rocmimg.cli.options import Choice, selection_options
from rocmimg.terminal import json_text

if TYPE_CHECKING:
    from rocmimg.builds.local import Unneeded
    from rocmimg.engine.caches import CacheMount
    from rocmimg.release.prune import Removal


def _bytes(_ctx: click.Context, _: click.Parameter, value: str | None) -> int | None:
    if value is None:
        return None
    found = re.fullmatch(r"(\d+)([KMGT]?)", value.upper())
    if found is None:
        raise click.BadParameter(f"{value} is not a size; write for instance 20G")
    return int(found[1]) * int(1000 ** " KMGT".index(found[2] or " "))


@click.command()
@selection_options
@click.option("--local", is_flag=True, help="Remove instead images that were built here and that no cell needs.")
@click.option(
    "--caches",
    "limit",
    metavar="SIZE",
    callback=_bytes,
    help="With --local: also remove caches of steps, the longest unused first, until they take at most SIZE (20G, 0).",
)
@click.option("--yes", is_flag=True, help="Remove them; without it, only say what would be removed.")
@click.option(
    "--json",
    "as_json",
    is_flag=True,
    help="An array of objects: name, digest, reason, image; with --local: image, cell, names, size, reason, kept, and "
    "of a cache: cache, id, size, used.",
)
def command(
    choice: Choice,
    local: bool,
    limit: int | None,
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
    if limit is not None and not local:
        raise click.UsageError("--caches belongs to --local.")
    rows: list[dict[str, Any]]
    rows = [one.as_json() for one in (_local(choice, yes=yes) if local else _registry(choice, yes=yes))]
    caches = _caches(limit, yes=yes) if limit is not None else []
    if as_json:
        click.echo(json_text([*rows, *(one.as_json() for one in caches)]))
        return
    from rocmimg.report.table import print_table

    if caches:
        print_table(
            ("cache", "last used", "size", "removed" if yes else "would be removed"),
            [(one.kind, one.used, f"{one.size / 1e6:.0f} MB", "yes") for one in caches],
        )

    if not rows:
        if not caches:
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


def _caches(limit: int, *, yes: bool) -> list[CacheMount]:
    from rocmimg.engine import connect
    from rocmimg.engine.caches import beyond

    with connect() as engine:
        gone = beyond(engine.caches(), limit)
        if yes:
            engine.remove_caches(gone)
    return gone


def _registry(choice: Choice, *, yes: bool) -> list[Removal]:
    from datetime import UTC, datetime

    from rocmimg.release.promote import open_release
    from rocmimg.release.prune import plan_prune, remove

    selected = choice.load(refs="known")
    release = open_release(selected.matrix, selected.ids, lambda text: click.echo(text, err=True), suite=False)
    removals = plan_prune(release, datetime.now(UTC).date())
    return remove(release, removals) if yes else removals
