"""``rocmimg list``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from rocmimg.cli.options import Choice, selection_options
from rocmimg.terminal import json_text

if TYPE_CHECKING:
    from rocmimg.plan.memory import Memory


@click.command()
@selection_options
@click.option("--json", "as_json", is_flag=True, help="An array of objects.")
def command(
    choice: Choice,
    as_json: bool,
) -> None:
    """List the cells of the matrix, and which targets have none because they are only extended."""
    memory = choice.memory("list")
    if not (found := memory.recall()):
        found = _found(choice, memory)
    rows = found["rows"]
    if as_json:
        click.echo(json_text(rows))
        return
    from rocmimg.report.table import print_table

    print_table(
        ("cell", "base", "components", "tag"),
        [(row["id"], row["base"], str(len(row["components"])), next(iter(row["tags"]), "")) for row in rows],
    )
    for target, users in found["extended"].items() if not choice.restricts else ():
        by = f" by {', '.join(users)}" if users else ""
        click.echo(f"{target}: no cells, only extended{by}", err=True)


def _found(choice: Choice, memory: Memory) -> dict[str, Any]:
    from rocmimg.plan.expected import expected_image

    selected = choice.load()
    rows = [expected_image(selected.matrix, cell).as_json() for cell in selected.cells]
    found = {"rows": rows, "extended": {name: list(users) for name, users in selected.matrix.extended.items()}}
    if sources := selected.sources():
        memory.keep(found, sources)
    return found
