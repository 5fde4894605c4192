"""``rocmimg contract check``."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from rocmimg.cli.options import Choice, mirrors_of_sets, named_values, selection_options
from rocmimg.errors import ContractBroken, SourceError

if TYPE_CHECKING:
    from rocmimg.contract.model import Contract


@click.command()
@selection_options
@click.option(
    "--framework", metavar="SOURCE", help="Instead of the matrix: a folder, wheel or sdist, or git repository[@REF]."
)
@click.option(
    "--source",
    "sources",
    metavar="PACKAGE=SOURCE",
    multiple=True,
    help="What the framework needs, for instance aiter=PATH@v0.1.12. Repeatable. With cells: in place of their pins.",
)
@click.option("--baseline", type=click.Path(path_type=Path, dir_okay=False), help="Accepted findings, with reasons.")
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "json", "sarif", "github", "markdown"]),
    default="text",
    show_default=True,
)
@click.option("--verbose", "-v", is_flag=True, help="Say where and when for findings of level INFO, too.")
@click.option("--fetch", is_flag=True, help="Fetch remote repositories that are in the cache already.")
def command(
    choice: Choice,
    framework: str | None,
    sources: tuple[str, ...],
    baseline: Path | None,
    form: str,
    verbose: bool,
    fetch: bool,
) -> None:
    """Compare a framework's AITER calls with the AITER that it is pinned to.

    Reads both from their pins; imports nothing, builds nothing. SOURCE is a folder, a wheel or sdist, or a git
    repository with @REF.
    """
    from rocmimg.contract.baseline import read_baseline
    from rocmimg.contract.cells import Pair, not_run, pairs_of, run_pairs
    from rocmimg.contract.check import Checker
    from rocmimg.contract.stores import parse_source
    from rocmimg.matrix.mirrors import mirrors_of

    accepted = read_baseline(baseline) if baseline is not None else ()
    named = named_values("--source", "aiter=./aiter@v0.1.12", sources)
    given = {package: parse_source(text) for package, text in named.items()}
    if framework is not None:
        if choice.restricts:
            raise click.UsageError("--framework stands in place of the matrix: leave out the cells")
        if not given:
            raise click.UsageError("--framework needs at least one --source PACKAGE=SOURCE")
        mirrors = mirrors_of_sets(choice.sets)
        whole = parse_source(framework)
        pairs = [Pair(framework=whole, package=package, source=source) for package, source in given.items()]
    else:
        selected = choice.load(fetches=True)
        pairs = list(dict.fromkeys(p for cell in selected.cells for p in pairs_of(cell, selected.matrix, given)))
        mirrors = mirrors_of(selected.matrix.cells)
    with Checker(refresh=fetch, mirrors=mirrors) as checker:
        contracts, not_read = run_pairs(checker, pairs, accepted)
    _print(contracts, form, single=framework is not None and len(pairs) == 1, verbose=verbose)
    if not pairs:
        click.echo("nothing to compare: no selected cell has both a framework and a source", err=True)
    for line in not_run(not_read):
        click.echo(line, err=True)
    broken = [finding for contract in contracts for finding in contract.at("error")]
    if broken:
        raise ContractBroken(
            f"{len(broken)} use{'s fail' if len(broken) > 1 else ' fails'} on import",
            next_step="choose a pin inside the windows above, or accept them in a --baseline with a reason",
        )
    if not_read:
        raise SourceError(f"{len(not_read)} of {len(pairs)} contracts were not run") if contracts else not_read[0].error


def _print(contracts: list[Contract], form: str, *, single: bool, verbose: bool) -> None:
    from rocmimg.report.contract import (
        contract_annotations,
        contract_json,
        contract_markdown,
        contract_sarif,
        contract_text,
    )
    from rocmimg.terminal import bare

    if form == "github":
        for line in contract_annotations(contracts):
            click.echo(line, file=bare(sys.stdout))
    elif form == "markdown":
        click.echo(contract_markdown(contracts))
    elif form == "sarif":
        click.echo(json.dumps(contract_sarif(contracts), indent=2))
    elif form == "json":
        rows = [contract_json(contract) for contract in contracts]
        click.echo(json.dumps(rows[0] if single and rows else rows, indent=2))
    elif contracts:
        click.echo("\n\n".join(contract_text(contract, verbose=verbose) for contract in contracts))
