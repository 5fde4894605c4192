"""The resolved matrix: frozen, complete, and what every other room reads."""

from __future__ import annotations

import posixpath
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from rocmimg.errors import Position
from rocmimg.matrix.dockerfile import OwnDockerfile, filled
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
    build_pip: Mapping[str, str]
    """Python packages that its build needs: name -> version or bounds."""
    paths: tuple[str, ...]
    """What it writes in the final image, its checkout and module included."""
    position: Position
    source: SourceSpec
    shared_with: str = ""
    """The component that ``source`` belongs to, where it is another's."""

    @property
    def kernels(self) -> bool:
        """Whether its shared objects hold GPU code that must be for the cell's archs."""
        without = self.recipe.kernels_except.items()
        return self.recipe.kernels and not any(self.options[option] == value for option, value in without)

    @property
    def env(self) -> dict[str, str]:
        """Runtime environment that it contributes with its options; fields are not filled in."""
        more = [one.env for one in self.recipe.env_with if one.options.items() <= dict(self.options).items()]
        return dict(self.recipe.env) | {name: value for env in more for name, value in env.items()}

    @property
    def build_apt(self) -> tuple[str, ...]:
        """Debian packages that its build needs."""
        return tuple(dict.fromkeys((*self.recipe.apt.build, *self.config.apt)))

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
    base_id: str = ""
    """The id that the lock has of a base which no registry has."""
    node: Node = field(repr=False, compare=False)
    """The merged configuration, with positions."""
    dockerfile: OwnDockerfile | None = None
    """What the image is built from where no recipes make it."""
    fields: Mapping[str, str] = field(default_factory=dict)
    """What build arguments may name of the cell."""

    def position(self, *path: str | int) -> Position:
        """Where the configuration says ``path``."""
        return self.node.find(path).position

    def position_of(self, component: str, *path: str | int) -> Position:
        """Where the configuration says something of a component, or of what the image has inside."""
        return self.position("contents" if component in self.config.contents else "components", component, *path)

    @property
    def prebuilt(self) -> str:
        """The image that another pipeline builds, by digest where the lock has one; empty where this one builds it."""
        return self.config.base.image if self.config.prebuilt else ""

    @property
    def outside_images(self) -> tuple[tuple[str, Position], ...]:
        """The images of registries that it is made of, other cells' left out, and where each is named."""
        if self.dockerfile:
            found = self.dockerfile.stages(self.build_args).outside(self.dockerfile.stage or None)
            own = self.config.base.image if self.base_cell else ""
            return tuple((one.reference, self.dockerfile.position(one.line)) for one in found if one.reference != own)
        image = self.config.base.image
        return ((image, self.position("base", "image")),) if image else ()

    @property
    def has_recipes(self) -> bool:
        """Whether recipes make the image: then its configuration is what images.yaml says."""
        return not (self.dockerfile or self.prebuilt)

    @property
    def build_args(self) -> dict[str, str]:
        """What the build passes to the Dockerfile."""
        return filled(self.dockerfile.args, {**self.fields, **part_fields(self.components)}) if self.dockerfile else {}

    def needs(self, component: ResolvedComponent) -> tuple[ResolvedComponent, ...]:
        """Those components whose results the build of ``component`` uses."""
        return tuple(
            other
            for other in self.components
            if other.recipe.name in component.recipe.needs or other.name in component.config.needs
        )

    @property
    def runtime_apt(self) -> tuple[str, ...]:
        """Debian packages of the final image: the target's, and what its components need there."""
        needed = (p for c in self.components for p in (*c.recipe.apt.runtime, *c.config.runtime_apt))
        return tuple(sorted({*self.config.apt, *needed}))

    @property
    def runtime_env(self) -> dict[str, str]:
        """The environment of the final image: what the recipes contribute, then what the target declares."""
        env: dict[str, str] = {}
        for component in self.components:
            fields = {
                "archs": ";".join(self.archs),
                "workdir": self.config.workdir,
                "directory": self.checkout(component),
            }
            env |= {name: value.format_map(fields) for name, value in component.env.items()}
        return env | dict(self.config.env)

    @property
    def kept(self) -> tuple[str, ...]:
        """Distributions that no install after the base stage may replace: ``protect`` without what components bring."""
        brought = {name for c in self.components if not c.recipe.in_base_stage for name in c.recipe.provides}
        ours = [name for c in self.components if c.recipe.in_base_stage for name in c.recipe.provides]
        return tuple(dict.fromkeys(name for name in (*self.config.protect, *ours) if name not in brought))

    def checkout(self, component: ResolvedComponent) -> str:
        """Where a component's sources lie in the image."""
        return posixpath.join(self.config.workdir, component.directory) if component.directory else ""

    def source_owner(self, component: ResolvedComponent) -> str:
        """The first component with the same local folder: the name of that folder in the build context."""
        return next(other.name for other in self.components if other.local == component.local)


def part_fields(components: tuple[ResolvedComponent, ...]) -> dict[str, str]:
    """What build arguments may name of the components: where their sources come from."""
    pairs = [(component.name, git) for component in components if (git := component.git)]
    return {f"{name}.{key}": value for name, git in pairs for key, value in (("ref", git.ref), ("repo", git.repo))}


@dataclass(frozen=True, slots=True, kw_only=True)
class Matrix:
    """All cells of an images.yaml, in the file's order."""

    path: Path
    catalogue: Catalogue = field(repr=False, compare=False)
    archs: Mapping[str, Arch]
    cells: tuple[Cell, ...]
    extended: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Targets without cells of their own (no gpu_archs), and the targets with cells that extend them."""

    @property
    def folder(self) -> Path:
        """Where relative paths of the file start."""
        return self.path.parent

    def base_reference(self, cell: Cell, *, rootfs: bool) -> str:
        """What a cell's Dockerfile starts FROM; ``rootfs`` says whether this machine can make a rootfs base."""
        base = cell.config.base
        if cell.base_cell:
            return self.cell(cell.base_cell).tags[0]
        if base.rootfs:
            return "scratch" if rootfs else base.rootfs.image
        return base.image

    def cell(self, cell_id: str) -> Cell:
        """The cell with this id.

        Raises:
            KeyError: there is none.
        """
        for cell in self.cells:
            if cell.id == cell_id:
                return cell
        raise KeyError(cell_id)
