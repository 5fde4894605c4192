"""``rocmimg contract``."""

from __future__ import annotations

import json
from pathlib import Path

import click

from rocmimg.cli.options import matrix_options, selection_options


@click.command()
@selection_options
@matrix_options
@click.option(
    "--framework", metavar="PLACE", help="Instead of the matrix: a folder, wheel or sdist, or git repository[@REF]."
)
@click.option(
    "--source",
    "sources",
    metavar="PACKAGE=PLACE",
    multiple=True,
    help="What the framework needs, for instance aiter=PATH@v0.1.12. Repeatable. With cells: in place of their pins.",
)
@click.option("--baseline", type=click.Path(path_type=Path, dir_okay=False), help="Accepted findings, with reasons.")
@click.option("--format", "form", type=click.Choice(["text", "json", "sarif"]), default="text", show_default=True)
@click.option("--verbose", "-v", is_flag=True, help="Say where and when for findings of level INFO, too.")
@click.option("--fetch", is_flag=True, help="Fetch remote repositories that are in the cache already.")
def command(
    file: Path,
    sets: tuple[str, ...],
    cells: tuple[str, ...],
    targets: tuple[str, ...],
    archs: tuple[str, ...],
    variants: tuple[str, ...],
    framework: str | None,
    sources: tuple[str, ...],
    baseline: Path | None,
    form: str,
    verbose: bool,
    fetch: bool,
) -> None:
    """Hold a framework's use of AITER against the AITER that it is pinned to.

    Reads both from their pins; imports nothing, builds nothing. PLACE is a folder, a wheel or sdist, or a git
    repository with @REF.
    """
    from rocmimg.cli.contracts import named_sources, run_cells, run_pairs
    from rocmimg.contract.baseline import read_baseline
    from rocmimg.errors import ContractBroken
    from rocmimg.report.contract import contract_json, contract_sarif, contract_text

    accepted = read_baseline(baseline) if baseline is not None else ()
    given = named_sources(sources)
    if framework is not None:
        if not given:
            raise click.UsageError("--framework needs at least one --source PACKAGE=PLACE")
        contracts = run_pairs([(framework, package, place) for package, place in given.items()], accepted, fetch=fetch)
    else:
        contracts = run_cells(file, sets, cells, targets, archs, variants, given, accepted, fetch=fetch)
    if form == "sarif":
        click.echo(json.dumps(contract_sarif(contracts), indent=2))
    elif form == "json":
        rows = [contract_json(contract) for contract in contracts]
        click.echo(json.dumps(rows[0] if framework is not None and len(rows) == 1 else rows, indent=2))
    else:
        click.echo("\n\n".join(contract_text(contract, verbose=verbose) for contract in contracts))
    broken = [finding for contract in contracts for finding in contract.at("error")]
    if broken:
        raise ContractBroken(
            f"{len(broken)} uses fail on import",
            next_step="choose a pin inside the windows above, or accept them in a --baseline with a reason",
        )
