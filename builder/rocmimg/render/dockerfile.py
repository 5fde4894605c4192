"""A cell's Dockerfile, stage by stage."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Any, Final

from jinja2 import StrictUndefined

from rocmimg.errors import ConfigError
from rocmimg.matrix.cell import Cell, Matrix, ResolvedComponent
from rocmimg.matrix.model import Network
from rocmimg.matrix.nodes import mapping
from rocmimg.matrix.recipe import Catalogue
from rocmimg.render import network
from rocmimg.render.caches import Caches, StageCaches
from rocmimg.render.environment import render_template
from rocmimg.render.quoting import Quoted, UnquotedValue, word

ROOTFS: Final = "rootfs.tar"
"""Where a rootfs base lies in the build context."""
SOURCES: Final = "sources"
"""Folder of the local sources in the build context, one folder a component."""
FILES: Final = ".rocmimg/files"
"""Folder of the recipes' files in the build context."""
MANIFEST: Final = ".rocmimg/manifest.json"
"""Where the image's description of itself lies in the build context."""
CONSTRAINTS: Final = "/etc/rocmimg/constraints.txt"
"""Where an image has the distributions that pip may not replace."""
_RESERVED: Final = frozenset({"base", "final", "scratch", "toolchain"})


class _Components(dict[str, ResolvedComponent]):
    """The components by recipe, for templates: one that is missing is named when its values are used."""

    def __missing__(self, recipe: str) -> StrictUndefined:
        return StrictUndefined(f"it uses {recipe!r}, which the cell does not have; add that component")


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """The part of a Dockerfile that belongs to one component or shared source, or to base, toolchain or final image."""

    name: str
    text: str
    uses: tuple[str, ...] = ()
    """Stages that it starts from or takes from."""
    files: tuple[str, ...] = ()
    """Programs of ``templates/files`` that its steps mount."""


class _Mounted:
    """For templates: where a program of ``templates/files`` lies in the build context. Remembers what was asked for."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue
        self.names: set[str] = set()

    def __call__(self, name: str) -> Quoted:
        if self._catalogue.file(name) is None:
            raise UnquotedValue(f"there is no {name} in files/ of {' and '.join(map(str, self._catalogue.folders))}")
        self.names.add(name)
        return word(f"{FILES}/{name}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Rendered:
    """A Dockerfile and its parts."""

    text: str
    stages: tuple[Stage, ...]
    base: str
    """The image that it starts from; ``scratch`` for a rootfs."""


def render(matrix: Matrix, cell: Cell, *, rootfs: bool = True, caches: Caches | None = None) -> Rendered:
    """The Dockerfile of ``cell``. ``rootfs`` says whether this machine can make a rootfs base.

    ``caches`` are mounted by the steps that can use them; without them the text is what the cell's digest is made of.

    Raises:
        TemplateError: a template is missing or fails; with its file and line.
        ConfigError: a component has the name of a stage that every Dockerfile has.
    """
    cell, mount = _public(cell), network.MOUNT if network.is_set(cell.config.network) else None
    base = matrix.base_reference(cell, rootfs=rootfs)
    begins = _beginning(cell, caches)
    stage_base, of = begins["stage_base"], caches.of if caches else _uncached
    shared: dict[str, Any] = {
        "cell": cell,
        "config": cell.config,
        "flags": cell.flags,
        "base": base,
        "rootfs": ROOTFS if base == "scratch" else None,
        "python": cell.config.python,
        "workdir": cell.config.workdir,
        "components": _Components({component.recipe.name: component for component in cell.components}),
        "kept": cell.kept,
        **begins,
        "constraints": CONSTRAINTS,
        "manifest": MANIFEST,
        "network_mount": mount,
        "network_folder": network.FOLDER,
    }
    stages: list[Stage] = []
    foundations: list[Quoted] = []
    installs: list[Quoted] = []
    folders = matrix.catalogue.folders
    in_base, in_final = _Mounted(matrix.catalogue), _Mounted(matrix.catalogue)
    shared_sources = _shared_sources(cell)
    built: set[str] = set()
    for component in cell.components:
        if component.name in _RESERVED:
            raise ConfigError(
                f"a component cannot be called {component.name!r}",
                why="every Dockerfile has a stage of that name",
                next_step="rename it, and name its recipe with `uses`",
                position=component.position,
            )
        values = shared | {
            "c": component,
            "options": component.options,
            "needs": cell.needs(component),
            "archs": component.archs,
            "gpu_archs": ";".join(component.archs),
            "source_folder": source_folder(cell, component),
            "source_stage": shared_sources.get(component.name),
        }
        template = f"components/{component.recipe.template}.j2"
        recipe = component.recipe
        place, mounted = ("base", in_base) if recipe.in_base_stage else ("final", in_final)
        of_install = values | {"part": "install", "mounted": mounted, "caches": of(place)}
        install = Quoted(_tidy(render_template(folders, template, of_install)))
        if recipe.in_base_stage:
            foundations.append(install)
            continue
        installs.append(install)
        mounted = _Mounted(matrix.catalogue)
        of_stage = values | {"part": "stage", "mounted": mounted, "caches": of(component.name)}
        text = _tidy(render_template(folders, template, of_stage))
        if not text:
            continue
        if (source := shared_sources.get(component.name)) and source not in built:
            sharing = [name for name, other in shared_sources.items() if other == source]
            fetched = _Mounted(matrix.catalogue)
            of_source = values | {"sharing": sharing, "mounted": fetched, "caches": of(source)}
            part = _tidy(render_template(folders, "source.j2", of_source))
            stages.append(Stage(name=source, text=part, uses=(stage_base,), files=tuple(sorted(fetched.names))))
            built.add(source)
        uses = [stage_base, source, *(need.name for need in cell.needs(component) if need.name in built)]
        files = tuple(sorted(mounted.names))
        stages.append(Stage(name=component.name, text=text, uses=tuple(filter(None, uses)), files=files))
        built.add(component.name)
    assembly = shared | {"foundations": foundations, "installs": installs, "env": cell.runtime_env}
    if stages and stage_base == "toolchain":
        of_all = shared | {"mounted": in_base, "caches": of("toolchain")}
        text = _tidy(render_template(folders, "toolchain.j2", of_all))
        stages.insert(0, Stage(name="toolchain", text=text, uses=("base",)))
    taken = ("base", *(component.name for component in cell.components if component.name in built))
    ordered = (
        Stage(
            name="base",
            text=_tidy(render_template(folders, "base.j2", assembly | {"mounted": in_base, "caches": of("base")})),
            files=tuple(sorted(in_base.names)),
        ),
        *stages,
        Stage(
            name="final",
            text=_tidy(render_template(folders, "final.j2", assembly | {"mounted": in_final, "caches": of("final")})),
            uses=taken,
            files=tuple(sorted(in_final.names)),
        ),
    )
    header = _tidy(render_template(folders, "header.j2", shared))
    text = "\n".join(part for part in (header, *(stage.text for stage in ordered)) if part)
    return Rendered(text=text, stages=ordered, base=base)


def _public(cell: Cell) -> Cell:
    """The cell without what is secret: what a template writes stays in the image's history."""
    config = cell.config.model_copy(update={"network": Network()})
    return replace(cell, config=config, node=mapping({}, cell.node.position))


def source_folder(cell: Cell, component: ResolvedComponent) -> str | None:
    """Where a component's local sources lie in the build context; None for git. Components of one source share it."""
    return f"{SOURCES}/{cell.source_owner(component)}" if component.local else None


def _beginning(cell: Cell, caches: Caches | None) -> dict[str, Any]:
    """What decides in which stage the components' stages begin."""
    constrained = bool(cell.config.protect or any(c.recipe.provides for c in cell.components))
    compiles = any(c.recipe.apt.build for c in cell.components)
    tool = caches.tool if caches and (compiles or caches.installs) else None
    return {
        "constrained": constrained,
        "compiles": compiles,
        "compiler_cache": tool,
        "stage_base": "toolchain" if constrained or compiles or tool else "base",
    }


def _uncached(_stage: str) -> StageCaches | None:
    return None


def _shared_sources(cell: Cell) -> dict[str, str]:
    """Component -> the stage that has its checkout, for components that share one repository's commit and folder."""
    found: dict[str, str] = {}
    for component in cell.components:
        same = [
            other
            for other in cell.components
            if other.git and (other.git, other.directory) == (component.git, component.directory)
        ]
        if len(same) > 1:
            owner = next((other for other in same if not other.shared_with), same[0])
            found[component.name] = f"{owner.name}-source"
    return found


def _tidy(text: str) -> str:
    text = re.sub(r"[ \t]+$", "", text, flags=re.MULTILINE).strip("\n")
    return re.sub(r"\n{3,}", "\n\n", text) + "\n" if text else ""
