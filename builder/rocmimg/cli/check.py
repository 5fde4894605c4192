"""``rocmimg check``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from rocmimg.cli.options import load_selected, matrix_options, selection_options

if TYPE_CHECKING:
    from rocmimg.lint.runner import Report
    from rocmimg.matrix import Matrix


@click.command()
@selection_options
@matrix_options
@click.option(
    "--online",
    is_flag=True,
    help="Also look for refs that moved, and try a clone and checkout of each pin that the contract reads.",
)
@click.option("--baseline", type=click.Path(path_type=Path, dir_okay=False), help="Accepted findings of the contract.")
@click.option("--json", "as_json", is_flag=True, help="One object: lint, contract, capabilities, pins, moved, not_run.")
def command(
    file: Path,
    sets: tuple[str, ...],
    cells: tuple[str, ...],
    targets: tuple[str, ...],
    archs: tuple[str, ...],
    variants: tuple[str, ...],
    online: bool,
    baseline: Path | None,
    as_json: bool,
) -> int:
    """Run every check that needs no build: lint, contract, required capabilities and the pins."""
    from rocmimg.contract.baseline import read_baseline
    from rocmimg.contract.cells import check_pins, not_run, pairs_of, run_pairs
    from rocmimg.contract.check import Checker
    from rocmimg.contract.required import missing_of, required_of
    from rocmimg.matrix.mirrors import mirrors_of
    from rocmimg.plan import make_plan
    from rocmimg.report import lint as lint_report
    from rocmimg.report.contract import contract_json, contract_text

    accepted = read_baseline(baseline) if baseline is not None else ()
    matrix, chosen = load_selected(
        file, sets, cells=cells, targets=targets, archs=archs, variants=variants, fetches=True
    )
    picked = [matrix.cell(cell) for cell in chosen]
    texts = {cell: make_plan(matrix, [cell])[cell].dockerfile for cell in chosen}
    report = _lint(texts)
    with Checker(refresh=online, mirrors=mirrors_of(matrix.cells)) as checker:
        contracts, unread = run_pairs(checker, [p for cell in picked for p in pairs_of(cell, matrix, {})], accepted)
        missing, skipped = missing_of(checker, [need for cell in picked for need in required_of(cell, matrix)])
        pins, unchecked = check_pins(checker, picked, matrix, checkout=online)
    moved: list[str] = []
    not_looked: list[str] = []
    if online:
        unlocked, _ = load_selected(
            file, sets, cells=cells, targets=targets, archs=archs, variants=variants, lock=False, fetches=True
        )
        moved, not_looked = _moved(unlocked, chosen)
    skipped = list(dict.fromkeys([*not_run(unread), *skipped, *unchecked, *not_looked]))
    if as_json:
        row: dict[str, Any] = {
            "lint": json.loads(lint_report.render(report, "json")),
            "contract": [contract_json(contract) for contract in contracts],
            "capabilities": missing,
            "pins": pins,
            "moved": moved,
            "not_run": skipped,
        }
        click.echo(json.dumps(row, indent=2))
    else:
        click.echo(lint_report.render(report, "text"))
        for contract in contracts:
            click.echo(f"\n{contract_text(contract)}")
        for line in (*missing, *(f"{p['level'].upper()}  {p['source']}: {p['message']}" for p in pins), *moved):
            click.echo(line)
        for line in skipped:
            click.echo(line, err=True)
    failed = report.failed or missing or moved or any(pin["level"] == "error" for pin in pins)
    return 1 if failed or any(contract.at("error") for contract in contracts) else 0


def _lint(texts: dict[str, str]) -> Report:
    from datetime import date

    from rocmimg.lint.runner import lint

    contents = {f"{cell}.Dockerfile": text.encode() for cell, text in texts.items()}
    return lint(contents, arguments={}, today=date.today())


def _moved(matrix: Matrix, chosen: list[str]) -> tuple[list[str], list[str]]:
    """Refs that mean something else than the lock says, and why they could not be looked up."""
    from rocmimg.lock import lock_path, read_lock
    from rocmimg.lock.update import update

    if read_lock(lock_path(matrix.path)) is None:
        return [], ["not run: moved refs: there is no lock; `rocmimg lock` writes one"]
    result = update(matrix, chosen, write=False)
    moved = [str(change) for change in result.changes if change.kind in ("moved", "alarm")]
    return moved, [f"not run: whether it moved: {failure}" for failure in result.failures]
