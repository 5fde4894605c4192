"""``rocmimg lint``: the ROCm rules over any Dockerfile."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from rocmimg.cli.options import say
from rocmimg.files import Unwritten
from rocmimg.terminal import bare


@click.command("lint", short_help="Check Dockerfiles against the ROCm rules.")
@click.argument("paths", nargs=-1, type=click.Path(path_type=Path))
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "json", "sarif", "github", "markdown"]),
    default="text",
    show_default=True,
    help="How to report.",
)
@click.option("--json", "as_json", is_flag=True, help="Short for --format json.")
@click.option("--output", "-o", type=click.Path(path_type=Path, dir_okay=False), help="Write the report to a file.")
@click.option("--build-arg", "arguments", multiple=True, metavar="NAME[=VALUE]", help="What the build passes.")
@click.option("--rule", "rules", multiple=True, metavar="RULE", help="Run these rules only.")
@click.option(
    "--waivers",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Waivers file.  [default: each .rocmimg-lint.yaml from the file's folder up to the repository's root]",
)
@click.option("--external/--no-external", default=False, help="Add what hadolint and shellcheck say.")
@click.option("--fix", is_flag=True, help="Apply the mechanical fixes to the files, then report what is left.")
@click.option("--explain", metavar="RULE", help="Say everything about a rule.")
@click.option("--list", "listing", is_flag=True, help="List the rules.")
@click.pass_context
def command(
    ctx: click.Context,
    paths: tuple[Path, ...],
    form: str,
    as_json: bool,
    output: Path | None,
    arguments: tuple[str, ...],
    rules: tuple[str, ...],
    waivers: Path | None,
    external: bool,
    fix: bool,
    explain: str | None,
    listing: bool,
) -> None:
    """Check Dockerfiles (files, or folders with Dockerfiles below) against the rules for ROCm images.

    Ends with 1 when there is an error; warnings and notes end with 0.
    """
    from rocmimg.lint import service
    from rocmimg.report import lint as report

    if explain or listing:
        chosen = service.select((explain,) if explain else ())
        click.echo("\n".join(report.explain(chosen[0]) if explain else report.listing(chosen)))
        return
    if not paths:
        raise click.UsageError("name a Dockerfile or a folder")
    result = service.run(
        paths,
        arguments=dict(argument.partition("=")[::2] for argument in arguments),
        rules=rules,
        waivers=waivers,
        external=external,
        fix=fix,
        debug=bool(ctx.find_root().params.get("debug")),
    )
    text = report.render(result, "json" if as_json else form)
    unwritten = Unwritten()
    if output:
        with unwritten.instead_of("the report", output):
            output.write_text(text + "\n", encoding="utf-8")
        if unwritten.notes:
            click.echo("\n".join(report.text(result)))
        else:
            click.echo(report.summary(result))
    else:
        # Annotations are workflow commands; their parts are made harmless one by one.
        click.echo(text, file=bare(sys.stdout) if form == "github" else None)
    say(unwritten)
    ctx.exit(unwritten.exit_code(1 if result.failed else 0))
