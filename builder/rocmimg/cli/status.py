"""``rocmimg status``."""

from __future__ import annotations

import json

import click

from rocmimg.cli.options import Choice, selection_options


@click.command()
@selection_options
@click.option("--format", "form", type=click.Choice(["text", "markdown"]), default="text", show_default=True)
@click.option(
    "--json", "as_json", is_flag=True, help="An array of objects: id, kind, name, digest, when, who, proofs, overrides."
)
def command(
    choice: Choice,
    form: str,
    as_json: bool,
) -> None:
    """Show for each alias, tag and candidate: its digest, since when, and what proves it."""
    from rocmimg.release.promote import open_release
    from rocmimg.release.status import status

    selected = choice.load(refs="known")
    entries = status(open_release(selected.matrix, selected.ids, lambda text: click.echo(text, err=True)))
    if as_json:
        click.echo(json.dumps([entry.as_json() for entry in entries], indent=2))
        return
    from rocmimg.report.markdown import table
    from rocmimg.report.table import print_table

    rows = []
    for entry in entries:
        for index, proof in enumerate(entry.proofs or [""]):
            head = (entry.id, entry.kind, entry.name or "none", entry.digest[:19], entry.when[:19], entry.who)
            rows.append((*(head if index == 0 else [""] * len(head)), proof))
    header = ("cell", "kind", "name", "digest", "when", "who", "proven by")
    if form == "markdown":
        click.echo(table(header, rows))
    else:
        print_table(header, rows)
