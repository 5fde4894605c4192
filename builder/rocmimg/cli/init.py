"""``rocmimg init``."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import click

from rocmimg.errors import ConfigError
from rocmimg.matrix.starter import Found, Start


@click.command()
@click.argument("folder", default=".", type=click.Path(path_type=Path, file_okay=False))
@click.option("--name", help="The target's name; the project's, or the folder's, when not given.")
@click.option("--dockerfile", metavar="PATH", help="Build this Dockerfile; one that is found when not given.")
@click.option(
    "--base", metavar="IMAGE", help="Start from an image instead; the Python project here is installed in it."
)
@click.option("--prebuilt", metavar="IMAGE", help="Build nothing: test and promote an image of another pipeline.")
@click.option("--arch", "archs", multiple=True, help="GPU architectures, for instance gfx942. Repeatable.")
@click.option("--registry", metavar="HOST/PATH", help="Where images are published.")
@click.option("--ci", type=click.Choice(["github", "gitlab", "buildkite"]), help="Write a pipeline too.")
@click.option("--rocmimg", "source", metavar="PLACE", help="With --ci: where a job gets rocmimg; see `export ci`.")
@click.option("--yes", "-y", is_flag=True, help="Ask nothing.")
def command(
    folder: Path,
    name: str | None,
    dockerfile: str | None,
    base: str | None,
    prebuilt: str | None,
    archs: tuple[str, ...],
    registry: str | None,
    ci: str | None,
    source: str | None,
    yes: bool,
) -> None:
    """Write a first images.yaml, with a check of your own, from what FOLDER has.

    Looks at Dockerfiles, pyproject.toml and CI, and asks on a terminal for what is not given. Nothing is overwritten.
    """
    from rocmimg.matrix.starter import look

    if sum(map(bool, (dockerfile, base, prebuilt))) > 1:
        raise click.UsageError("--dockerfile, --base and --prebuilt exclude each other.")
    if bool(ci) != bool(source):
        raise click.UsageError("--ci and --rocmimg belong together.")
    found = look(folder)
    start = Start(
        name=name or found.name,
        archs=archs or found.archs or ("gfx942",),
        registry=registry or "",
        dockerfile=dockerfile or "",
        base=base or "",
        prebuilt=prebuilt or "",
        package=found.package,
    )
    if not (start.dockerfile or start.base or start.prebuilt) and found.dockerfiles:
        start = replace(start, dockerfile=found.dockerfiles[0])
    if sys.stdin.isatty() and not yes:
        start = _asked(start, found, given_archs=bool(archs))
    if not (start.dockerfile or start.base or start.prebuilt):
        raise ConfigError(
            f"there is no Dockerfile in {folder}",
            next_step="name what images start from: --dockerfile PATH, --base IMAGE or --prebuilt IMAGE",
        )
    _write(start, folder, ci, source)


def _asked(start: Start, found: Found, *, given_archs: bool) -> Start:
    start = replace(start, name=click.prompt("Name of the target", default=start.name))
    if not (start.base or start.prebuilt):
        shown = f" (found: {', '.join(found.dockerfiles)})" if len(found.dockerfiles) > 1 else ""
        chosen = click.prompt(f"Dockerfile{shown}, empty to start from an image", default=start.dockerfile)
        start = replace(start, dockerfile=chosen)
        if not chosen:
            start = replace(start, base=click.prompt("Image to start from"))
    if not given_archs:
        said = click.prompt("GPU architectures", default=" ".join(start.archs))
        start = replace(start, archs=tuple(said.replace(",", " ").split()))
    return replace(start, registry=start.registry or click.prompt("Registry, HOST/PATH or empty", default=""))


def _write(start: Start, folder: Path, ci: str | None, source: str | None) -> None:
    from rocmimg.matrix import load
    from rocmimg.matrix.starter import files
    from rocmimg.release.pipeline import FORMS, make_pipeline, write

    texts = files(start, folder)
    pipeline = FORMS[ci][0] if ci else None
    for name in (*texts, *([str(pipeline)] if pipeline else [])):
        if (folder / name).exists():
            raise ConfigError(
                f"{folder / name} exists", why="init overwrites nothing", next_step="remove it, or edit it"
            )
    written: list[Path] = []
    try:
        for name, text in texts.items():
            written.append(_written(folder / name, text))
        matrix = load(folder / "images.yaml")
        if ci and source and pipeline:
            from rocmimg.plan import make_plan

            cells = [cell.id for cell in matrix.cells]
            text = write(make_pipeline(make_plan(matrix, cells), cells, source=source), ci)
            written.append(_written(folder / pipeline, text))
    except BaseException:
        for path in written:
            path.unlink(missing_ok=True)
        raise
    for path in written:
        click.echo(path)
    click.echo("next: rocmimg check, then rocmimg build and rocmimg test", err=True)


def _written(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path
