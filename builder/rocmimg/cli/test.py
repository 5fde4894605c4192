"""``rocmimg test``."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from rocmimg.cli import complete
from rocmimg.cli.options import Choice, Show, progress_options, say, selection_options
from rocmimg.cli.pages import Page, html_option, page_of
from rocmimg.cli.views import view
from rocmimg.errors import ConfigError
from rocmimg.terminal import json_text

if TYPE_CHECKING:
    from rocmimg.builds.locate import ImageUnderTest
    from rocmimg.builds.progress import Ending
    from rocmimg.checks.model import CheckInfo, ImageResult, Tier
    from rocmimg.engine import Engine
    from rocmimg.files import Unwritten

_FILE = click.Path(path_type=Path, dir_okay=False)


@click.command()
@selection_options
@click.option(
    "--tier",
    "tiers",
    multiple=True,
    type=click.Choice(["image", "import", "aot", "gpu"]),
    help="Only checks of this tier; all when not given.",
)
@click.option(
    "--check",
    "checks",
    multiple=True,
    metavar="ID",
    shell_complete=complete.checks,
    help="Only this check, to look at it again: the answer is shown and not kept as a result. Repeatable.",
)
@click.option("--require-gpu", is_flag=True, help="What could not be run counts as a failure (exit code 10).")
@click.option("--jobs", "-j", type=click.IntRange(1, 64), default=2, show_default=True, help="Images at once.")
@click.option(
    "--gpus", type=click.IntRange(1, 64), default=1, show_default=True, help="GPUs an image; collectives need two."
)
@click.option("--junit", type=_FILE, help="Write a JUnit file.")
@html_option
@click.option("--markdown", type=_FILE, help="Add a summary in Markdown to this file.")
@click.option(
    "--export-kernels",
    type=click.Path(path_type=Path, file_okay=False),
    help="Write the compiled kernels of each image as a pack, for `rocmimg kernels run`.",
)
@click.option(
    "--as",
    "conditions",
    multiple=True,
    type=click.Choice(["restricted"]),
    help="Try the image under these conditions too: an unknown user id, a read-only root, a small /dev/shm.",
)
@progress_options
@click.option("--list", "listing", is_flag=True, help="List the checks: id, tier and the failure classes of each.")
@click.option("--json", "as_json", is_flag=True, help="An array of objects, one per image or, with --list, per check.")
def command(
    choice: Choice,
    tiers: tuple[Tier, ...],
    checks: tuple[str, ...],
    require_gpu: bool,
    jobs: int,
    gpus: int,
    junit: Path | None,
    html: Path | None,
    markdown: Path | None,
    export_kernels: Path | None,
    conditions: tuple[str, ...],
    progress: Show,
    verbose: bool,
    listing: bool,
    as_json: bool,
) -> int:
    """Check images: each in one container, without network, as users run it.

    An argument is a cell of images.yaml, or any image: a reference or an id. An image that the engine does not have is
    pulled, and no images.yaml is needed; --arch says which GPUs it is to be for.
    """
    from rocmimg.builds.locate import is_reference, locate, locate_references, pull_prebuilt
    from rocmimg.checks.model import TIERS, exit_code
    from rocmimg.checks.run import Options, run
    from rocmimg.contract.cells import names_of
    from rocmimg.engine import connect
    from rocmimg.report.checks import print_results

    if listing:
        return _list(choice.file, as_json=as_json)
    _refuse_unknown(checks, choice.file)
    export = export_kernels.resolve() if export_kernels else None
    options = Options(
        tiers=tiers or TIERS, checks=checks, jobs=jobs, gpus=gpus, export_kernels=export, conditions=conditions
    )
    images = [name for name in choice.cells if is_reference(name) or not choice.file.exists()]
    cells = tuple(name for name in choice.cells if name not in images)
    subjects: list[ImageUnderTest] = []
    watched = view(progress, verbose=verbose, as_json=as_json, noun="image", ending=_ending)
    with connect() as engine, watched as shown:
        if cells or choice.targets or choice.variants or not images:
            try:
                selected = replace(choice, cells=cells).load(refs="known")
            except ConfigError:
                # A name without a tag that only the engine knows.
                if not (cells and all(engine.image(name) for name in cells)):
                    raise
                images += cells
            else:
                contracts = names_of(selected.cells, selected.matrix) if "import" in options.tiers else {}
                options = replace(
                    options,
                    contracts=contracts,
                    project=selected.matrix.folder,
                    results=selected.build_folder / "results",
                )
                plan = selected.plan()
                failed = pull_prebuilt(plan, selected.ids, engine, shown.started)
                subjects = locate(plan, selected.ids, engine.images(), failed)
        subjects += locate_references(engine, images, choice.archs, shown.started)
        page = page_of(html, options.results.parent)
        shown.planned(one.expected.cell for one in subjects)
        results = run(subjects, engine, options, shown)
        unwritten = options.unwritten
        code = exit_code(results, require_gpu=require_gpu)
        if page:
            with unwritten.instead_of("the page", page.path):
                _write_page(page, engine, subjects, results, code)
    _write_reports(results, junit, markdown, require_gpu=require_gpu, unwritten=unwritten)
    if as_json:
        click.echo(json_text([result.as_json() for result in results]))
    else:
        print_results(results)
    say(unwritten)
    return unwritten.exit_code(code)


def _write_reports(
    results: list[ImageResult], junit: Path | None, markdown: Path | None, *, require_gpu: bool, unwritten: Unwritten
) -> None:
    if junit:
        from rocmimg.report.junit import write_junit

        with unwritten.instead_of("the JUnit file", junit):
            write_junit(results, junit, require_gpu=require_gpu)
    if markdown:
        from rocmimg.report.checks import markdown as as_markdown

        with unwritten.instead_of("the summary", markdown), markdown.open("a", encoding="utf-8") as stream:
            stream.write(as_markdown(results))


def _ending(result: ImageResult) -> Ending:
    from rocmimg.builds.progress import Ending
    from rocmimg.report.checks import summary

    failed = result.status == "failed"
    mark: Literal["good", "bad", "open"] = "bad" if failed else "good" if result.status == "passed" else "open"
    told = (f"{one.id}: {one.findings[0].what if one.findings else one.reason}" for one in result.failures)
    lines = (f"{result.id} {summary(result)}", *told)
    return Ending(id=result.id, outcome="failed" if failed else "done", mark=mark, lines=lines)


def _write_page(
    page: Page, engine: Engine, subjects: list[ImageUnderTest], results: list[ImageResult], code: int
) -> None:
    from rocmimg.builds.layers import layers_of
    from rocmimg.cli.pages import base_of, planned, with_layers
    from rocmimg.report.page import Run
    from rocmimg.report.page.model import Cell

    builds = page.builds()
    plans = {one.expected.cell: one.plan for one in subjects if one.plan}
    bases = {cell: base_of(plan) for cell, plan in plans.items()}
    layers = layers_of(engine, {one.id: (one.image_id, bases.get(one.id, "")) for one in results if one.image_id})
    cells = []
    for result in results:
        plan, build = plans.get(result.id), builds.get(result.id)
        cell = planned(plan) if plan else Cell(id=result.id, archs=result.archs)
        same = build is not None and build.image_id == result.image_id
        cells.append(replace(with_layers(cell, layers.get(result.id)), build=build if same else None, checks=result))
    devices = ", ".join(dict.fromkeys(result.device for result in results if result.device))
    about = f"{engine.info.kind} {engine.info.version}"
    head = page.head("test", about, code, list(plans.values()), devices)
    page.write(Run(head=head, cells=tuple(cells)))


def _known(file: Path) -> list[CheckInfo]:
    """Our checks, and those of the folders that images.yaml names."""
    from rocmimg.checks.suites import listed, own_folders

    folders: list[Path | None] = [None]
    if file.exists():
        from rocmimg.matrix import load

        folders += own_folders(load(file))
    return list({info.path + info.id: info for folder in folders for info in listed(folder)}.values())


def _refuse_unknown(checks: tuple[str, ...], file: Path) -> None:
    from rocmimg.errors import did_you_mean

    known = {info.id for info in _known(file)} if checks else set()
    for check in checks:
        if check not in known:
            raise click.UsageError(f"no check is called {check!r}; {did_you_mean(check, known)}")


def _list(file: Path, *, as_json: bool) -> int:
    from rocmimg.report.table import print_table

    found = _known(file)
    if as_json:
        click.echo(json_text([asdict(info) for info in found]))
        return 0
    print_table(
        ("check", "tier", "classes", "what it shows"),
        [(info.id, info.tier, " ".join(info.classes), info.title) for info in found],
    )
    return 0
