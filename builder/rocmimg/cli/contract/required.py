"""``rocmimg contract required``."""

from __future__ import annotations

import json

import click

from rocmimg.cli.options import Choice, named_values, selection_options
from rocmimg.errors import ContractBroken


@click.command()
@selection_options
@click.option(
    "--with",
    "bumps",
    metavar="PACKAGE=REF",
    multiple=True,
    help="What another pin would win and lose, for instance aiter=v0.1.14. Repeatable.",
)
@click.option("--json", "as_json", is_flag=True, help="An array of objects.")
@click.option("--fetch", is_flag=True, help="Fetch remote repositories that are in the cache already.")
def command(
    choice: Choice,
    bumps: tuple[str, ...],
    as_json: bool,
    fetch: bool,
) -> None:
    """Show which cells' pins have the capabilities that the matrix requires."""
    from rocmimg.contract.check import Checker
    from rocmimg.contract.required import availability, required_of
    from rocmimg.matrix.mirrors import mirrors_of
    from rocmimg.report.table import print_table

    others = named_values("--with", "aiter=v0.1.14", bumps)
    selected = choice.load(fetches=True)
    required = [need for cell in selected.cells for need in required_of(cell, selected.matrix)]
    for package in others.keys() - {need.package for need in required}:
        raise click.UsageError(f"--with {package}: no selected cell requires a capability of it")
    with Checker(refresh=fetch, mirrors=mirrors_of(selected.matrix.cells)) as checker:
        found = availability(checker, required, others)
    rows = [one.as_json() for one in found]
    if as_json:
        click.echo(json.dumps(rows, indent=2))
    elif not rows:
        click.echo("no selected cell requires a capability: name some under components.<name>.capabilities")
    else:
        header = ("cell", "capability", "pin", "has", *(("with", "then", "change") if others else ()), "window")
        print_table(header, [[row.get(h, "") for h in header] for row in rows])
    for reason in dict.fromkeys(one.reason for one in found if one.reason):
        click.echo(f"not run: {reason}", err=True)
    if missing := [one for one in found if one.has == "no"]:
        raise ContractBroken(f"{len(missing)} required capabilities are not there at their pins")
