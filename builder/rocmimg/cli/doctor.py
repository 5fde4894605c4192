"""``rocmimg doctor``."""

from __future__ import annotations

import click

from rocmimg.terminal import json_text


@click.command()
@click.option("--json", "as_json", is_flag=True, help="An array of objects.")
@click.pass_context
def command(ctx: click.Context, as_json: bool) -> None:
    """Check the engine and this machine, and say what to do about each problem.

    Exit code 0 when nothing blocks the work, else that of the first thing that does.
    """
    from rocmimg.engine.doctor import examine
    from rocmimg.report.table import print_table

    findings = list(examine())
    if as_json:
        click.echo(json_text([finding.as_dict() for finding in findings]))
    else:
        print_table(("check", "status", "finding"), [(f.id, f.status, f.detail) for f in findings])
        for finding in findings:
            if finding.next_step:
                click.echo(f"\n{finding.id}: {finding.next_step}")
    ctx.exit(next((f.exit_code for f in findings if f.exit_code), 0))
