"""``rocmimg check``."""

from __future__ import annotations

import json
from pathlib import Path

import click

from rocmimg.cli.options import Choice, selection_options


@click.command()
@selection_options
@click.option(
    "--online",
    is_flag=True,
    help="Also look for refs that moved, and try a clone and checkout of each pin that the contract reads.",
)
@click.option("--baseline", type=click.Path(path_type=Path, dir_okay=False), help="Accepted findings of the contract.")
@click.option("--json", "as_json", is_flag=True, help="One object: lint, contract, capabilities, pins, moved, not_run.")
def command(
    choice: Choice,
    online: bool,
    baseline: Path | None,
    as_json: bool,
) -> int:
    """Run every check that needs no build: lint, contract, required capabilities and the pins."""
    from rocmimg.contract.baseline import read_baseline
    from rocmimg.contract.cells import examine
    from rocmimg.lint import service
    from rocmimg.lock.update import moved_refs
    from rocmimg.report import lint as lint_report
    from rocmimg.report.contract import contract_json, contract_text

    accepted = read_baseline(baseline) if baseline is not None else ()
    selected = choice.load(fetches=True)
    report = service.run_texts({f"{image.id}.Dockerfile": image.dockerfile for image in selected.images()})
    found = examine(selected.cells, selected.matrix, accepted, online=online)
    moved, not_looked = moved_refs(choice.load(lock=False, fetches=True).matrix, selected.ids) if online else ([], [])
    skipped = list(dict.fromkeys([*found.not_run, *not_looked]))
    if as_json:
        row = {
            "lint": json.loads(lint_report.render(report, "json")),
            "contract": [contract_json(contract) for contract in found.contracts],
            "capabilities": found.missing,
            "pins": found.pins,
            "moved": moved,
            "not_run": skipped,
        }
        click.echo(json.dumps(row, indent=2))
    else:
        click.echo(lint_report.render(report, "text"))
        for contract in found.contracts:
            click.echo(f"\n{contract_text(contract)}")
        pins = (f"{pin['level'].upper()}  {pin['source']}: {pin['message']}" for pin in found.pins)
        for line in (*found.missing, *pins, *moved):
            click.echo(line)
        for line in skipped:
            click.echo(line, err=True)
    return 1 if report.failed or found.failed or moved else 0
