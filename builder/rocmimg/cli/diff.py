"""``rocmimg diff``."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

import click

from rocmimg.cli import complete
from rocmimg.cli.options import Choice, matrix_options
from rocmimg.terminal import json_text


@click.command()
@click.argument("left", shell_complete=complete.cells)
@click.argument("right", default="", shell_complete=complete.cells)
@matrix_options
@click.option("--against", metavar="COMMIT", help="Take LEFT from images.yaml as it was at this commit.")
@click.option(
    "--against-file",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Take LEFT from this matrix.",
)
@click.option("--text", "as_text", is_flag=True, help="Compare the Dockerfiles line by line.")
@click.option("--json", "as_json", is_flag=True, help="An array of objects: section, key, left, right.")
@click.option("--exit-code", is_flag=True, help="End with 1 where there is a difference.")
def command(
    left: str,
    right: str,
    choice: Choice,
    against: str | None,
    against_file: Path | None,
    as_text: bool,
    as_json: bool,
    exit_code: bool,
) -> int:
    """Compare two cells, or one cell at two versions of the matrix. --set changes RIGHT only."""
    from rocmimg.matrix.history import at_commit
    from rocmimg.plan.diff import compare, text_diff

    if against and against_file:
        raise click.UsageError("--against and --against-file exclude each other.")
    if not (right or against or against_file or choice.sets):
        raise click.UsageError("One cell alone: name another, or --against COMMIT, --against-file FILE or --set.")
    with ExitStack() as stack:
        old = stack.enter_context(at_commit(choice.file, against)) if against else against_file or choice.file
        sides = Choice(file=old).one(left), choice.one(right or left)
        if as_text:
            text = text_diff(*sides)
            click.echo(text, nl=False)
            return int(exit_code and bool(text))
        differences = compare(*sides)
    if as_json:
        rows = [{"section": d.section, "key": d.key, "left": d.left, "right": d.right} for d in differences]
        click.echo(json_text(rows))
    elif differences:
        from rocmimg.report.table import print_table

        first, second = (cell.id for _, cell in sides)
        shown = [(d.section, d.key, d.left or "", d.right or "") for d in differences]
        print_table(("", "", first, second if second != first else "now"), shown)
    else:
        click.echo("no difference")
    return int(exit_code and bool(differences))
