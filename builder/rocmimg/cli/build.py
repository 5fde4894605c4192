"""``rocmimg build``."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from rocmimg.cli.options import BUILD_FOLDER, Choice, Show, progress_options, say, selection_options
from rocmimg.cli.pages import Page, html_option, page_of
from rocmimg.cli.views import view
from rocmimg.files import Unwritten
from rocmimg.terminal import json_text

if TYPE_CHECKING:
    from rocmimg.builds import CellResult
    from rocmimg.builds.foreign import Taken
    from rocmimg.engine import Engine
    from rocmimg.matrix import Matrix
    from rocmimg.plan import Plan
    from rocmimg.plan.memory import Memory


@click.command()
@selection_options
@click.option("--jobs", "-j", type=click.IntRange(1, 64), default=4, show_default=True, help="Cells at once.")
@click.option("--fail-fast", is_flag=True, help="Stop the others when one fails.")
@click.option("--force", is_flag=True, help="Build what is up to date as well, and take tags from foreign images.")
@click.option("--no-cache", is_flag=True, help="Build every step anew; implies --force.")
@click.option(
    "--contract/--no-contract",
    default=True,
    help="First compare the AITER calls of each cell that is to be built with its AITER, from the pins; on by default.",
)
@click.option(
    "--baseline",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    help="Accepted findings of the contract.",
)
@progress_options
@click.option("--json", "as_json", is_flag=True, help="Print build/report.json instead of a table.")
@html_option
def command(
    choice: Choice,
    jobs: int,
    fail_fast: bool,
    force: bool,
    no_cache: bool,
    contract: bool,
    baseline: Path | None,
    progress: Show,
    verbose: bool,
    as_json: bool,
    html: Path | None,
) -> int:
    """Build the selected cells and the cells that they start from."""
    from rocmimg.builds.results import exit_code, write_report

    memory = choice.memory("build")
    unwritten = Unwritten()
    if not (force or no_cache or html) and (same := _nothing_to_do(memory)):
        path = choice.file.parent / BUILD_FOLDER / "report.json"
        with unwritten.instead_of("the report", path):
            write_report(same, path)
        with view(progress, verbose=verbose, as_json=as_json) as shown:
            shown.planned(result.id for result in same)
            for result in same:
                shown.finished(result)
        _print(same, as_json)
        say(unwritten)
        return unwritten.exit_code(exit_code(same))

    from rocmimg.builds import Options, decide_all, run
    from rocmimg.builds.foreign import foreign_tags
    from rocmimg.engine import connect

    selected = choice.load(refs="now")
    plan = selected.plan()
    if sources := selected.sources(plan):
        from rocmimg.plan.memory import KeptPlan

        memory.keep(KeptPlan.rows(plan), sources)
    folder = selected.build_folder
    options = Options(jobs=jobs, fail_fast=fail_fast, force=force or no_cache, no_cache=no_cache, logs=folder / "logs")
    finished: list[CellResult] = []
    page = page_of(html, folder)

    def report(results: list[CellResult]) -> None:
        finished.extend(results)
        for one in results:
            if one.log_error:
                unwritten.note("the log", one.log or f"of {one.id}", one.log_error)
        with unwritten.instead_of("the report", folder / "report.json"):
            write_report(results, folder / "report.json")
        if page:
            with unwritten.instead_of("the page", page.path):
                _write_page(page, plan, engine, results)

    try:
        with connect() as engine:
            images = engine.images()
            due = [d.id for d in decide_all(plan, images, force=options.force) if d.action == "build"]
            if not force:
                _ask_for_names(foreign_tags(plan, due, images, engine))
            if contract:
                _check_contract(selected.matrix, due, baseline)
            with view(progress, verbose=verbose, as_json=as_json) as shown:
                run(plan, engine, options, shown, report, images=images)
    finally:
        if finished:
            _print(finished, as_json)
        say(unwritten)
    return unwritten.exit_code(exit_code(finished))


def _write_page(page: Page, plan: Plan, engine: Engine, results: list[CellResult]) -> None:
    from rocmimg.builds import exit_code
    from rocmimg.builds.layers import layers_of
    from rocmimg.cli.pages import bases_of, planned, with_layers
    from rocmimg.report.page import Run
    from rocmimg.report.page.records import build_of

    images = {result.id: result.image_id for result in results}
    layers = layers_of(engine, bases_of(plan, images))
    checked = page.checked(images)
    cells = [
        replace(
            with_layers(planned(plan[one.id]), layers.get(one.id)),
            build=build_of(one.as_json()),
            checks=checked.get(one.id),
        )
        for one in results
    ]
    head = page.head("build", f"{engine.info.kind} {engine.info.version}", exit_code(results), plan.images)
    page.write(Run(head=head, cells=tuple(cells)))


def _nothing_to_do(memory: Memory) -> list[CellResult] | None:
    from rocmimg.builds.nothing import nothing_to_do

    return nothing_to_do(memory)


def _ask_for_names(taken: list[Taken]) -> None:
    """Names that foreign images have are taken only from somebody who says so."""
    if not taken:
        return
    from rocmimg.builds.foreign import refusal

    if sys.stdin.isatty() and sys.stderr.isatty():
        for one in taken:
            click.echo(f"{one}, an image that rocmimg did not build; a build of {one.cell} takes the name.", err=True)
        if click.confirm("Go on? The image stays, without the name.", err=True):
            return
    raise refusal(taken)


def _check_contract(matrix: Matrix, cells: list[str], baseline: Path | None) -> None:
    if not any(matrix.cell(cell).components for cell in cells):
        return
    from rocmimg.contract.cells import gate

    for line in gate(matrix, cells, baseline):
        click.echo(f"contract: {line}", err=True)


def _print(results: list[CellResult], as_json: bool) -> None:
    if as_json:
        click.echo(json_text([result.as_json() for result in results]))
        return
    from rocmimg.report.build import print_build

    print_build(results)
