"""The resolved matrix: frozen, complete, and what every other room reads."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from rocmimg.errors import Position
from rocmimg.matrix.model import Arch, CellConfig, Component, OptionValue
from rocmimg.matrix.nodes import Node
from rocmimg.matrix.recipe import Catalogue, Install, Recipe
from rocmimg.source import Git, Local, SourceSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class ResolvedComponent:
    """A component of one cell, with its recipe's defaults filled in."""

    name: str
    recipe: Recipe
    config: Component
    install: Install | None
    """None where the recipe installs no Python package."""
    module: str
    directory: str
    options: Mapping[str, OptionValue]
    archs: tuple[str, ...]
    """The gfx names that it is compiled for."""
    tools: Mapping[str, str]
    """Python packages that its build needs: name -> version or bounds."""
    paths: tuple[str, ...]
    """What it writes in the final image, its checkout and module included."""
    position: Position
    source: SourceSpec
    shared_with: str = ""
    """The component that ``source`` belongs to, where it is another's."""

    @property
    def git(self) -> Git | None:
        """The repository that the sources come from; None where they come from elsewhere."""
        return self.source if isinstance(self.source, Git) else None

    @property
    def local(self) -> str | None:
        """The folder that the sources come from; None where they come from elsewhere."""
        return self.source.folder if isinstance(self.source, Local) else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One image of the matrix."""

    id: str
    """``<target>-<gpu_arch>[-<variant>]``: in file names, logs, tags, selection and reports."""
    target: str
    arch: str
    """Name of the arch entry: a gfx name, or the name of a group of them."""
    archs: tuple[str, ...]
    """The gfx names that the image is for."""
    variant: str
    """Empty for the plain cell."""
    opt_in: bool
    """Left out unless it is asked for by id or variant."""
    config: CellConfig
    flags: Mapping[str, bool | int | str]
    """Every flag that a recipe of this cell takes, defaults included."""
    components: tuple[ResolvedComponent, ...]
    """Those that are on, in the order in which the final image installs them."""
    base_cell: str | None
    """Id of the cell that this one starts from."""
    tags: tuple[str, ...]
    """Full references, registry included."""
    aliases: tuple[str, ...]
    node: Node = field(repr=False, compare=False)
    """The merged configuration, with positions."""

    def position(self, *path: str | int) -> Position:
        """Where the configuration says ``path``."""
        return self.node.find(path).position

    def needs(self, component: ResolvedComponent) -> tuple[ResolvedComponent, ...]:
        """Those components whose results the build of ``component`` uses."""
        return tuple(
            other
            for other in self.components
            if other.recipe.name in component.recipe.needs or other.name in component.config.needs
        )

    def component(self, recipe: str) -> ResolvedComponent | None:
        """The component that is made by ``recipe``, if this cell has one."""
        return next((c for c in self.components if c.recipe.name == recipe), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Matrix:
    """All cells of an images.yaml, in the file's order."""

    path: Path
    catalogue: Catalogue = field(repr=False, compare=False)
    archs: Mapping[str, Arch]
    cells: tuple[Cell, ...]

    @property
    def folder(self) -> Path:
        """Where relative paths of the file start."""
        return self.path.parent

    def cell(self, cell_id: str) -> Cell:
        """The cell with this id.

        Raises:
            KeyError: there is none.
        """
        for cell in self.cells:
            if cell.id == cell_id:
                return cell
        raise KeyError(cell_id)
