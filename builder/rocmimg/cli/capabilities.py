"""``rocmimg capabilities``."""

from __future__ import annotations

import json
from pathlib import Path

import click

from rocmimg.cli.options import load_selected, matrix_options, named_sources, selection_options

_WORDS = {"resolved": "yes", "missing-module": "no", "missing-name": "no", "unknown": "unknown"}


@click.command()
@selection_options
@matrix_options
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
    file: Path,
    sets: tuple[str, ...],
    cells: tuple[str, ...],
    targets: tuple[str, ...],
    archs: tuple[str, ...],
    variants: tuple[str, ...],
    bumps: tuple[str, ...],
    as_json: bool,
    fetch: bool,
) -> None:
    """Show which cells' pins have the capabilities that the matrix requires."""
    from rocmimg.contract.cells import required_of
    from rocmimg.contract.check import Checker
    from rocmimg.errors import ContractBroken, SourceError
    from rocmimg.report.table import print_table

    others = named_sources("--with", "aiter=v0.1.14", bumps)
    matrix, chosen = load_selected(file, sets, cells=cells, targets=targets, archs=archs, variants=variants)
    required = [need for cell in chosen for need in required_of(matrix.cell(cell), matrix)]
    for package in others.keys() - {need.target.partition(".")[0] for need in required}:
        raise click.UsageError(f"--with {package}: no selected cell requires a capability of it")
    rows = []
    with Checker(refresh=fetch) as checker:
        for need in required:
            place, _, ref = need.source.rpartition("@")
            other = others.get(need.target.partition(".")[0])
            row = {"cell": need.cell, "capability": need.target, "pin": ref if place else need.source}
            try:
                row["has"] = _WORDS[checker.status(need.target, need.source)]
                if other is not None:
                    row["with"] = other
                    row["then"] = _WORDS[checker.status(need.target, f"{place or need.source}@{other}")]
                row["window"] = str(checker.capability(need.target, place or need.source).window)
            except SourceError as error:
                row = {"has": "not run", "window": ""} | row | {"reason": str(error)}
            row["change"] = {("no", "yes"): "won", ("yes", "no"): "lost"}.get((row["has"], row.get("then", "")), "")
            rows.append(row)
    if as_json:
        click.echo(json.dumps(rows, indent=2))
    elif not rows:
        click.echo("no selected cell requires a capability: name some under components.<name>.requires")
    else:
        header = ("cell", "capability", "pin", "has", *(("with", "then", "change") if others else ()), "window")
        print_table(header, [[row.get(h, "") for h in header] for row in rows])
    for reason in dict.fromkeys(row["reason"] for row in rows if "reason" in row):
        click.echo(f"not run: {reason}", err=True)
    missing = [row for row in rows if row["has"] == "no"]
    if missing:
        raise ContractBroken(f"{len(missing)} required capabilities are not there at their pins")
