"""A cell's Dockerfile, stage by stage."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Final

from jinja2 import StrictUndefined

from rocmimg.errors import ConfigError
from rocmimg.matrix.cell import Cell, Matrix, ResolvedComponent
from rocmimg.render import network
from rocmimg.render.environment import render_template
from rocmimg.render.quoting import Quoted

ROOTFS: Final = "rootfs.tar"
"""Where a rootfs base lies in the build context."""
SOURCES: Final = "sources"
"""Folder of the local sources in the build context, one folder a component."""
FILES: Final = ".rocmimg/files"
"""Folder of the recipes' files in the build context."""
MANIFEST: Final = ".rocmimg/manifest.json"
"""Where the image's description of itself lies in the build context."""
_RESERVED: Final = frozenset({"base", "final", "scratch"})


class _Components(dict[str, ResolvedComponent]):
    """The components by recipe, for templates: one that is missing is named when its values are used."""

    def __missing__(self, recipe: str) -> StrictUndefined:
        return StrictUndefined(f"it uses {recipe!r}, which the cell does not have; add that component")


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """The part of a Dockerfile that belongs to one component, or to the base or the final image."""

    name: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Rendered:
    """A Dockerfile and its parts."""

    text: str
    stages: tuple[Stage, ...]
    base: str
    """The image that it starts from; ``scratch`` for a rootfs."""


def render(matrix: Matrix, cell: Cell, *, rootfs: bool = True) -> Rendered:
    """The Dockerfile of ``cell``. ``rootfs`` says whether this machine can make a rootfs base.

    Raises:
        TemplateError: a template is missing or fails; with its file and line.
        ConfigError: a component has the name of a stage that every Dockerfile has.
    """
    base = matrix.base_reference(cell, rootfs=rootfs)
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
        "constrained": bool(cell.config.keep or any(c.recipe.provides for c in cell.components)),
        "files_folder": FILES,
        "manifest": MANIFEST,
        "network_mount": network.MOUNT if network.is_set(cell.config.network) else None,
        "network_folder": network.FOLDER,
    }
    stages: list[Stage] = []
    foundations: list[Quoted] = []
    installs: list[Quoted] = []
    folders = matrix.catalogue.folders
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
        }
        template = f"components/{component.recipe.name}.j2"
        install = Quoted(_tidy(render_template(folders, template, values | {"part": "install"})))
        if component.recipe.foundation:
            foundations.append(install)
            continue
        stages.append(
            Stage(name=component.name, text=_tidy(render_template(folders, template, values | {"part": "stage"})))
        )
        installs.append(install)
    assembly = shared | {"foundations": foundations, "installs": installs, "env": cell.runtime_env}
    parts = {part: _tidy(render_template(folders, f"{part}.j2", assembly)) for part in ("base", "final")}
    ordered = (
        Stage(name="base", text=parts["base"]),
        *(stage for stage in stages if stage.text),
        Stage(name="final", text=parts["final"]),
    )
    header = _tidy(render_template(folders, "header.j2", shared))
    text = "\n".join(part for part in (header, *(stage.text for stage in ordered)) if part)
    return Rendered(text=text, stages=ordered, base=base)


def source_folder(cell: Cell, component: ResolvedComponent) -> str | None:
    """Where a component's local sources lie in the build context; None for git. Components of one source share it."""
    return f"{SOURCES}/{cell.source_owner(component)}" if component.local else None


def _tidy(text: str) -> str:
    text = re.sub(r"[ \t]+$", "", text, flags=re.MULTILINE).strip("\n")
    return re.sub(r"\n{3,}", "\n\n", text) + "\n" if text else ""
