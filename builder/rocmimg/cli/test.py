"""``rocmimg test``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from rocmimg.cli.options import load_selected, matrix_options, selection_options

if TYPE_CHECKING:
    from rocmimg.checks.model import Tier

_FILE = click.Path(path_type=Path, dir_okay=False)


@click.command()
@selection_options
@matrix_options
@click.option(
    "--tier",
    "tiers",
    multiple=True,
    type=click.Choice(["image", "import", "aot", "gpu"]),
    help="Only checks of this tier; all when not given.",
)
@click.option("--require-gpu", is_flag=True, help="What could not be run counts as a failure (exit code 10).")
@click.option("--jobs", "-j", type=click.IntRange(1, 64), default=2, show_default=True, help="Images at once.")
@click.option(
    "--gpus", type=click.IntRange(1, 64), default=1, show_default=True, help="GPUs an image; collectives need two."
)
@click.option("--junit", type=_FILE, help="Write a JUnit file.")
@click.option("--html", type=_FILE, help="Write a page for people, in one file.")
@click.option(
    "--export-kernels",
    type=click.Path(path_type=Path, file_okay=False),
    help="Write the compiled kernels of each image as a pack, for `rocmimg kernels run`.",
)
@click.option("--json", "as_json", is_flag=True, help="An array of objects, one an image.")
def command(
    file: Path,
    sets: tuple[str, ...],
    cells: tuple[str, ...],
    targets: tuple[str, ...],
    archs: tuple[str, ...],
    variants: tuple[str, ...],
    tiers: tuple[Tier, ...],
    require_gpu: bool,
    jobs: int,
    gpus: int,
    junit: Path | None,
    html: Path | None,
    export_kernels: Path | None,
    as_json: bool,
) -> int:
    """Check built images: each in one container, without network, as users run it."""
    from rocmimg.builds.locate import locate
    from rocmimg.checks.model import TIERS, exit_code
    from rocmimg.checks.run import Options, run
    from rocmimg.contract.cells import names_of
    from rocmimg.engine import connect
    from rocmimg.plan import make_plan
    from rocmimg.report.checks import print_progress, print_results

    matrix, chosen = load_selected(file, sets, cells=cells, targets=targets, archs=archs, variants=variants)
    plan = make_plan(matrix, chosen)
    options = Options(
        tiers=tiers or TIERS,
        jobs=jobs,
        gpus=gpus,
        results=matrix.folder / "build" / "results",
        project=matrix.folder,
        export_kernels=export_kernels.resolve() if export_kernels else None,
        contracts=names_of((matrix.cell(cell) for cell in chosen), matrix) if "import" in (tiers or TIERS) else {},
    )
    with connect() as engine:
        results = run(locate(plan, chosen, engine.images()), engine, options, print_progress)
    if junit:
        from rocmimg.report.junit import write_junit

        write_junit(results, junit, require_gpu=require_gpu)
    if html:
        from rocmimg.report.page import write_page

        write_page(results, html)
    if as_json:
        click.echo(json.dumps([result.as_json() for result in results], indent=2))
    else:
        print_results(results)
    return exit_code(results, require_gpu=require_gpu)
