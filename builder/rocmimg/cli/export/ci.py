"""``rocmimg export ci``."""

from __future__ import annotations

from pathlib import Path

import click

from rocmimg.cli.options import Choice, release_options


@click.command()
@release_options("Only these targets and what they start from.", "Opt-in cells of these variants.", required=False)
@click.argument("form", type=click.Choice(["github", "gitlab", "buildkite"]))
@click.option(
    "--rocmimg",
    "source",
    metavar="PLACE",
    required=True,
    help="Where a job gets rocmimg: a wheel or folder of your repository (tools/rocmimg.whl), git+https://...@COMMIT, "
    "or image:REFERENCE, which has the program.",
)
@click.option("--nightly", metavar="CRON", default="", help="Also on this schedule, under tags with the date.")
@click.option(
    "--output",
    "-o",
    type=click.Path(path_type=Path, dir_okay=False, allow_dash=True),
    help="Where to write it, - for standard output; where that CI looks for it when not given.",
)
def command(
    choice: Choice,
    form: str,
    source: str,
    nightly: str,
    output: Path | None,
) -> None:
    """Write a pipeline: check, build in the order of bases, test on GPU machines, promote.

    Machines are chosen by the labels under `runners` in images.yaml.
    """
    from rocmimg.release.pipeline import FORMS, make_pipeline, write

    selected = choice.load()
    pipeline = make_pipeline(selected.plan(), selected.ids, source=source, nightly=nightly)
    text = write(pipeline, form)
    if output == Path("-"):
        click.echo(text, nl=False)
        return
    path = output or selected.matrix.folder / FORMS[form][0]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    click.echo(path)
