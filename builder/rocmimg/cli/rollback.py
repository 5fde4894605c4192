"""``rocmimg rollback``."""

from __future__ import annotations

import click

from rocmimg.cli.options import Choice, release_options
from rocmimg.terminal import json_text


@click.command()
@release_options(
    "The release: all cells of these targets.", "Its opt-in cells of these variants instead.", required=True
)
@click.option("--dry-run", is_flag=True, help="Only say what would move.")
@click.option("--json", "as_json", is_flag=True, help="An array of objects: id, alias, from, to.")
def command(
    choice: Choice,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Point the aliases of a release to what they named before its last promotion: all of them, or none.

    A promotion that somebody left unfinished is undone, and nothing else.
    """
    from rocmimg.release.promote import open_release
    from rocmimg.release.rollback import prepare, roll_back

    selected = choice.load(refs="known")
    release = open_release(selected.matrix, selected.ids, lambda text: click.echo(text, err=True), suite=False)
    undone = not dry_run and release.settle(undo_promotions=True)
    restores = [] if undone else prepare(release)
    if not dry_run and restores:
        roll_back(release, restores)
    rows = [restore.as_json() for restore in restores]
    if as_json:
        click.echo(json_text(rows))
        return
    from rocmimg.report.table import print_table

    header = ("cell", "alias", "from", "would name" if dry_run else "names")
    print_table(header, [(row["id"], row["alias"], row["from"], row["to"]) for row in rows])
