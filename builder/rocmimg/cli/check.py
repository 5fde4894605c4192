"""``rocmimg check``."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import click

from rocmimg.cli.options import Choice, selection_options
from rocmimg.errors import NotProven
from rocmimg.terminal import json_text

PARTS = ("lint", "contract", "pins")


@click.command()
@selection_options
@click.option(
    "--only", "parts", multiple=True, type=click.Choice(PARTS), help="Only this part; all when not given. Repeatable."
)
@click.option(
    "--online",
    is_flag=True,
    help="Also look for refs that moved, simulate the installation of each list of Debian packages, and try a clone "
    "and checkout of each pin that the contract reads.",
)
@click.option("--baseline", type=click.Path(path_type=Path, dir_okay=False), help="Accepted findings of the contract.")
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "json", "sarif", "github", "markdown"]),
    default="text",
    show_default=True,
)
@click.option("--json", "form", flag_value="json", help="The same as --format json.")
@click.option("--verbose", "-v", is_flag=True, help="Notes as well.")
def command(
    choice: Choice, parts: tuple[str, ...], online: bool, baseline: Path | None, form: str, verbose: bool
) -> int:
    """Run every check that needs no build: lint, the contract with required capabilities, and the pins.

    Ends with 1 where there is an error, and with 10 where a part that was asked for could not be run.
    """
    from rocmimg.cli.lock import local_id
    from rocmimg.contract.baseline import read_baseline
    from rocmimg.contract.cells import examine, problems_of
    from rocmimg.lint import service
    from rocmimg.lint.runner import joined
    from rocmimg.lock.apt import check_apt
    from rocmimg.lock.update import moved_refs
    from rocmimg.problem import merged
    from rocmimg.report import check, lint
    from rocmimg.report.contract import contract_json
    from rocmimg.terminal import bare

    chosen = parts or PARTS
    accepted = read_baseline(baseline) if baseline is not None else ()
    selected = choice.load(fetches=True)
    images = selected.images() if "lint" in chosen else []
    rendered = service.run_texts({image.id: image.dockerfile for image in images if image.cell.has_recipes})
    own = {
        image.id: service.run_own(image.cell.dockerfile.shown, image.dockerfile, image.cell.build_args)
        for image in images
        if image.cell.dockerfile
    }
    report = joined([rendered, *own.values()])
    found = examine(selected.cells, selected.matrix, accepted, parts=chosen, online=online)
    moved, not_looked = (
        moved_refs(choice.load(lock=False, fetches=True).matrix, selected.ids, local_id) if online else ([], [])
    )
    apt, not_simulated = check_apt(selected.matrix, selected.cells) if online and "pins" in chosen else ([], [])
    skipped = list(dict.fromkeys([*found.not_run, *not_looked, *not_simulated]))
    problems = merged(
        [
            *lint.problems_of(rendered, {image.id: image.origin for image in images}),
            *(problem for cell, about in own.items() for problem in lint.problems_in(about, cell)),
            *problems_of(found, selected.cells, selected.matrix),
            *check.moved(moved, str(selected.matrix.path)),
            *apt,
        ]
    )
    shown = problems if verbose or form in ("json", "sarif") else [one for one in problems if one.level != "note"]
    if form == "json":
        row = {
            "lint": json.loads(lint.render(report, "json")),
            "contract": [contract_json(contract) for contract in found.contracts],
            "capabilities": list(map(str, found.missing)),
            "pins": found.pins,
            "moved": moved,
            "not_run": skipped,
            "problems": check.as_json(problems),
        }
        click.echo(json_text(row))
    else:
        # Annotations are workflow commands; their parts are made harmless one by one.
        click.echo(check.render(shown, form), file=bare(sys.stdout) if form == "github" else None)
        for line in skipped:
            click.echo(line, err=True)
    if any(problem.level == "error" for problem in problems):
        return 1
    return NotProven.exit_code if skipped else 0
