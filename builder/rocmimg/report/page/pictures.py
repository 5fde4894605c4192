"""Which pictures a page has."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from rocmimg.report.page import graph, sizes, svg, times
from rocmimg.report.page.model import Cell, Run, Stage
from rocmimg.report.page.words import counted, duration, human


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """A drawing and what stands around it."""

    title: str
    svg: Markup
    caption: str = ""
    cells: tuple[str, ...] = ()


def scales(run: Run) -> dict[str, int]:
    """The longest bar of each kind on the page: pictures of one kind share their scale."""
    layers = [layer.size for cell in run.cells for layer in sizes.layer_rows(cell.layers)]
    coverages = [cell.checks.coverage for cell in run.cells if cell.checks]
    packages = [sum(archs.values()) for one in coverages for archs in sizes.package_rows(one).values()]
    return {"layers": max(layers, default=1) or 1, "coverage": max(packages, default=1) or 1}


def fills(run: Run) -> dict[str, str]:
    """The colour of each architecture."""
    return sizes.arch_fills([cell.checks.coverage for cell in run.cells if cell.checks])


def pictures_of_run(run: Run) -> list[Picture]:
    """Those that are about several cells."""
    found: list[Picture] = []
    builds = {cell.id: cell.build for cell in run.cells if cell.build}
    if len(builds) > 1 and any(build.began for build in builds.values()):
        slowest = max(builds, key=lambda name: builds[name].seconds)
        said = f"{counted(len(builds), 'cell')}; the longest, {slowest}, took {duration(builds[slowest].seconds)}."
        drawn = svg.draw(times.overview(builds), "Cells over time", said, "overview")
        found.append(Picture(title="Cells over time", svg=drawn, caption=said))
    for number, (stages, cells) in enumerate(_graphs(run).items()):
        rebuilt = run.head.verb == "plan"
        changed = [stage.name for stage in stages if stage.why]
        said = f"{counted(len(stages), 'stage')}, in the order of the Dockerfile."
        if changed:
            said += f" Filled: rebuilt ({', '.join(changed)})."
        caption = "An arc leads from a stage to one that uses it" + (
            "; filled stages are rebuilt. Of" if rebuilt else ". Of"
        )
        drawn = svg.draw(graph.graph(stages, rebuilt), "Stages", said, f"graph{number}")
        found.append(Picture(title="Stages", svg=drawn, caption=caption, cells=tuple(cells)))
    return found


def _graphs(run: Run) -> dict[tuple[Stage, ...], list[str]]:
    """Graphs that differ in what is drawn, with their cells."""
    found: dict[tuple[Stage, ...], list[str]] = {}
    for cell in run.cells:
        if len(cell.stages) > 1:
            found.setdefault(cell.stages, []).append(cell.id)
    return found


def pictures_of_cell(
    run: Run, cell: Cell, name: str, scale: Mapping[str, int], fills: Mapping[str, str]
) -> Sequence[Picture]:
    """Those of one cell; ``name`` begins their ids."""
    found = []
    if cell.build and cell.build.steps:
        steps = cell.build.steps
        ran = [step for step in steps if step.state != "cached"]
        cached = len(steps) - len(ran)
        said = f"{counted(len(steps), 'step')}{f', {cached} of them cached' if cached else ''}."
        if ran:
            longest = max(ran, key=lambda step: step.seconds)
            said += f" The longest, in {longest.stage or 'the engine'}, took {duration(longest.seconds)}."
        drawn = svg.draw(times.timeline(steps), f"Build of {cell.id} over time", said, f"{name}.time")
        found.append(Picture(title="Build over time", svg=drawn, caption=said))
    if any(layer.size for layer in cell.layers):
        said = f"{human(sum(layer.size for layer in cell.layers))} in all."
        if any(layer.base for layer in cell.layers):
            own = sum(layer.size for layer in cell.layers if not layer.base)
            said = f"{said[:-1]}, {human(own)} on top of the base."
        drawn = svg.draw(sizes.layers(cell.layers, scale["layers"]), f"Layers of {cell.id}", said, f"{name}.layers")
        found.append(Picture(title="Layers", svg=drawn, caption=said))
    if cell.checks and cell.checks.coverage.get("packages"):
        coverage = cell.checks.coverage
        archs = ", ".join(coverage["expected"]) or "no architecture that anybody named"
        said = f"The image is for {archs}. {_files(coverage)}"
        drawn = svg.draw(
            sizes.coverage(coverage, fills, scale["coverage"]), f"GPU code of {cell.id}", said, f"{name}.coverage"
        )
        found.append(Picture(title="GPU code by package", svg=drawn, caption=said))
    for number, one in enumerate(cell.names):
        if one.history:
            said = f"{one.name}: {counted(len(one.history), 'change')} that the registry remembers."
            drawn = svg.draw(
                times.history(one.history, run.head.when), f"History of {one.name}", said, f"{name}.past{number}"
            )
            found.append(Picture(title="What the name pointed to", svg=drawn, caption=said))
    if cell.released and cell.candidate:
        pair = (cell.released, cell.candidate)
        before, after = (sum(one.layers.values()) for one in pair)
        grown = after - before
        said = f"Compressed: {human(abs(grown))} {'more' if grown >= 0 else 'less'} than the last release."
        drawn = svg.draw(sizes.comparison(pair), f"Size of {cell.id}", said, f"{name}.size")
        found.append(Picture(title="Size against the last release", svg=drawn, caption=said))
    return found


def _files(coverage: Mapping[str, object]) -> str:
    parts = [counted(int(str(coverage.get("files", 0))), "file")]
    if compressed := coverage.get("compressed"):
        parts.append(f"{compressed} of them compressed")
    if unreadable := coverage.get("unreadable"):
        parts.append(f"{len(unreadable)} could not be read" if isinstance(unreadable, list | tuple) else "")
    return ", ".join(filter(None, parts)) + "."
