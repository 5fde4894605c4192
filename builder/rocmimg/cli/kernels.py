"""``rocmimg kernels``."""

from __future__ import annotations

from pathlib import Path

import click

from rocmimg.terminal import json_text


@click.group()
def command() -> None:
    """Run kernels that images compiled ahead of time, without the images."""


@command.command()
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False, exists=True))
@click.option("--require-gpu", is_flag=True, help="What could not be run counts as a failure (exit code 10).")
@click.option("--junit", type=click.Path(path_type=Path, dir_okay=False), help="Write a JUnit file.")
@click.option("--json", "as_json", is_flag=True, help="An array of objects, one a pack.")
def run(folder: Path, require_gpu: bool, junit: Path | None, as_json: bool) -> int:
    """Run the kernel packs in FOLDER on this machine's AMD GPU, through HIP alone."""
    from rocmimg.checks.kernels.run_packs import packs, run_packs
    from rocmimg.checks.model import exit_code
    from rocmimg.report.checks import print_results

    results = run_packs(packs(folder))
    if junit:
        from rocmimg.report.junit import write_junit

        write_junit(results, junit, require_gpu=require_gpu)
    if as_json:
        click.echo(json_text([result.as_json() for result in results]))
    else:
        print_results(results)
    return exit_code(results, require_gpu=require_gpu)
