"""``rocmimg contract window``."""

from __future__ import annotations

import json

import click

from rocmimg.cli.options import Choice, matrix_options, mirrors_of_sets


@click.command()
@matrix_options
@click.argument("name")
@click.option(
    "--source",
    metavar="[PACKAGE=]GIT",
    help="The repository; without it, the one that the matrix names for the package.",
)
@click.option("--json", "as_json", is_flag=True, help="One object.")
@click.option("--fetch", is_flag=True, help="Fetch a remote repository that is in the cache already.")
def command(name: str, source: str | None, choice: Choice, as_json: bool, fetch: bool) -> None:
    """Show which releases have NAME, for instance aiter.rmsnorm2d_fwd_with_add."""
    from rocmimg.contract.cells import repository_of
    from rocmimg.contract.check import Checker
    from rocmimg.contract.stores import parse_source
    from rocmimg.matrix.mirrors import mirrors_of

    package = name.partition(".")[0]
    if source is not None:
        with Checker(refresh=fetch, mirrors=mirrors_of_sets(choice.sets)) as checker:
            found = checker.capability(name, parse_source(source.removeprefix(f"{package}=")))
    else:
        matrix = choice.load(lock=False, fetches=True).matrix
        with Checker(refresh=fetch, mirrors=mirrors_of(matrix.cells)) as checker:
            found = checker.capability(name, repository_of(package, matrix))
    if as_json:
        row = {
            "target": found.target,
            "window": str(found.window),
            "spans": [{"first": first, "last": last} for first, last in found.window.spans()],
            "tags": [{"tag": tag, "status": status} for tag, status in found.window.answers],
            "parameters": [{"from": tag, "parameters": text} for tag, text in found.changes],
        }
        click.echo(json.dumps(row, indent=2))
        return
    click.echo(f"{found.target}: {found.window}")
    for tag, text in found.changes:
        click.echo(f"  from {tag}: {text}")
