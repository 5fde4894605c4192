"""``rocmimg explain``."""

from __future__ import annotations

import json

import click

from rocmimg.cli import complete
from rocmimg.cli.options import Choice, matrix_options
from rocmimg.terminal import json_text


@click.command()
@click.argument("cell", shell_complete=complete.cells)
@click.argument("key", default="")
@matrix_options
@click.option("--json", "as_json", is_flag=True, help="An array of objects: key, value, where.")
def command(choice: Choice, cell: str, key: str, as_json: bool) -> None:
    """Show each value of CELL, or those below KEY, and where it was written."""
    from rocmimg.matrix.explain import explain

    facts = explain(*choice.one(cell), key)
    if as_json:
        click.echo(json_text([{"key": f.key, "value": f.value, "where": str(f.position)} for f in facts]))
        return
    from rocmimg.report.table import print_table

    print_table(("key", "value", "where"), [(f.key, json.dumps(f.value), str(f.position)) for f in facts])
