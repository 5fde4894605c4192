"""``rocmimg rollback``."""

from __future__ import annotations

import json
from pathlib import Path

import click

from rocmimg.cli.options import load_selected, matrix_options


@click.command()
@click.option("--target", "targets", multiple=True, required=True, help="The release: all cells of these targets.")
@click.option("--variant", "variants", multiple=True, help="Its opt-in cells of these variants instead.")
@click.option("--dry-run", is_flag=True, help="Only say what would move.")
@matrix_options
@click.option("--json", "as_json", is_flag=True, help="An array of objects: id, alias, from, to.")
def command(
    file: Path,
    sets: tuple[str, ...],
    targets: tuple[str, ...],
    variants: tuple[str, ...],
    dry_run: bool,
    as_json: bool,
) -> None:
    """Point the aliases of a release to what they named before its last promotion: all of them, or none.

    A promotion that somebody left unfinished is undone, and nothing else.
    """
    from rocmimg.release.promote import open_release
    from rocmimg.release.rollback import prepare, roll_back

    matrix, chosen = load_selected(file, sets, targets=targets, variants=variants)
    release = open_release(matrix, chosen, lambda text: click.echo(text, err=True), suite=False)
    undone = not dry_run and release.settle(undo_promotions=True)
    restores = [] if undone else prepare(release)
    if not dry_run and restores:
        roll_back(release, restores)
    rows = [restore.as_json() for restore in restores]
    if as_json:
        click.echo(json.dumps(rows, indent=2))
        return
    from rocmimg.report.table import print_table

    header = ("cell", "alias", "from", "would name" if dry_run else "names")
    print_table(header, [(row["id"], row["alias"], row["from"], row["to"]) for row in rows])
