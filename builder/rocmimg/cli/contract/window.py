"""``rocmimg contract window``."""

from __future__ import annotations

import json
from pathlib import Path

import click


@click.command()
@click.argument("name")
@click.option(
    "--source",
    metavar="[PACKAGE=]GIT",
    help="The repository; without it, the one that the matrix names for the package.",
)
@click.option(
    "--file", "-f", "file", default="images.yaml", show_default=True, envvar="ROCMIMG_FILE",
    type=click.Path(path_type=Path, dir_okay=False), help="The matrix.",
)  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="One object.")
@click.option("--fetch", is_flag=True, help="Fetch a remote repository that is in the cache already.")
def command(name: str, source: str | None, file: Path, as_json: bool, fetch: bool) -> None:
    """Show which releases have NAME, for instance aiter.rmsnorm2d_fwd_with_add."""
    from rocmimg.contract.cells import repository_of
    from rocmimg.contract.check import Checker
    from rocmimg.contract.stores import parse_source

    package = name.partition(".")[0]
    given = parse_source(source.removeprefix(f"{package}=")) if source is not None else repository_of(package, file)
    with Checker(refresh=fetch) as checker:
        found = checker.capability(name, given)
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
