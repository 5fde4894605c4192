"""``rocmimg checks``."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import click


@click.command()
@click.option(
    "--folder",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="A project's own checks too (`checks.folder` of images.yaml).",
)
@click.option("--json", "as_json", is_flag=True, help="An array of objects.")
def command(folder: Path | None, as_json: bool) -> None:
    """List the checks of `rocmimg test`: id, tier and the failure classes that each catches."""
    from rocmimg.checks.suites import listed

    found = listed(folder)
    if as_json:
        click.echo(json.dumps([asdict(info) for info in found], indent=2))
        return
    from rocmimg.report.table import print_table

    print_table(
        ("check", "tier", "classes", "what it shows"),
        [(info.id, info.tier, " ".join(info.classes), info.title) for info in found],
    )
