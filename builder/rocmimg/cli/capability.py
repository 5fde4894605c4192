"""``rocmimg capability``."""

from __future__ import annotations

import json

import click


@click.command()
@click.argument("name")
@click.option(
    "--source",
    metavar="[PACKAGE=]GIT",
    help="The repository; without it, the one that images.yaml names for the package.",
)
@click.option("--json", "as_json", is_flag=True, help="One object.")
@click.option("--fetch", is_flag=True, help="Fetch a remote repository that is in the cache already.")
def command(name: str, source: str | None, as_json: bool, fetch: bool) -> None:
    """Show which releases have NAME, for instance aiter.rmsnorm2d_fwd_with_add."""
    from rocmimg.cli.contracts import repository_of
    from rocmimg.contract.check import Checker

    package = name.partition(".")[0]
    place = source.removeprefix(f"{package}=") if source is not None else repository_of(package)
    with Checker(refresh=fetch) as checker:
        found = checker.capability(name, place)
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
