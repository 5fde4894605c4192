"""``rocmimg promote``."""

from __future__ import annotations

import click

from rocmimg.cli.options import Choice, release_options
from rocmimg.terminal import json_text


def _reasons(_context: click.Context, parameter: click.Parameter, values: tuple[str, ...]) -> dict[str, str]:
    found = {}
    for value in values:
        tier, _equals, reason = value.partition("=")
        if tier not in ("image", "import", "aot", "gpu", "results") or not reason.strip():
            raise click.BadParameter("wants TIER=REASON, for instance gpu='no MI355X this week'", param=parameter)
        found[tier] = reason.strip()
    return found


@click.command()
@release_options(
    "The release: all cells of these targets.", "Its opt-in cells of these variants instead.", required=True
)
@click.option(
    "--override",
    "overrides",
    multiple=True,
    callback=_reasons,
    metavar="TIER=REASON",
    help="Promote without a proof that is missing; the reason is recorded. A failure cannot be overridden.",
)
@click.option("--dry-run", is_flag=True, help="Only say what would move.")
@click.option(
    "--json", "as_json", is_flag=True, help="An array of objects: id, digest, candidate, tags, aliases, tiers."
)
def command(
    choice: Choice,
    overrides: dict[str, str],
    dry_run: bool,
    as_json: bool,
) -> None:
    """Give the candidates of a release their tags and aliases: all of its cells, or none.

    A candidate needs every tier of checks that `release.required_tiers` names, run and passed on its very digest. A
    promotion that somebody left unfinished is finished first.
    """
    from rocmimg.release.promote import open_release, prepare, promote

    selected = choice.load(refs="known")
    release = open_release(selected.matrix, selected.ids, lambda text: click.echo(text, err=True))
    if not dry_run:
        release.settle()
    ready = prepare(release, overrides)
    if not dry_run:
        promote(release, ready, overrides)
    if as_json:
        click.echo(json_text([cell.as_json() for cell in ready]))
        return
    from rocmimg.report.table import print_table

    rows = [
        (cell.image.id, update.kind, str(update), cell.candidate.digest)
        for cell in ready
        for update in (*cell.tags, *cell.aliases)
    ]
    if rows:
        print_table(("cell", "kind", "would be set" if dry_run else "set", "digest"), rows)
    else:
        click.echo("every name is what it should be already")
    for cell in ready:
        for verdict in cell.verdicts:
            click.echo(f"{cell.image.id}: {verdict}", err=True)
