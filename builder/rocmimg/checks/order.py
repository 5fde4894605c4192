"""What the process that judges an image is told: a file between ``rocmimg test`` and its pytest."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, ConfigDict

from rocmimg.checks.model import Tier

if TYPE_CHECKING:
    from rocmimg.plan import ImagePlan


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class Gpu(_Record):
    """An AMD GPU of this machine."""

    index: int
    """Number among the GPUs, as ROCR_VISIBLE_DEVICES counts."""
    arch: str
    """gfx name."""
    render: str
    """Device node, for instance /dev/dri/renderD128."""
    name: str = ""


class PlannedComponent(_Record):
    """A component, as far as checks need it."""

    name: str
    recipe: str
    module: str
    """Import name; empty where it is no Python package."""
    import_needs_gpu: bool
    kernels: bool
    """Its shared objects must hold GPU code for exactly the cell's archs."""
    prebuilt: bool
    """Its kernels are compiled into the image."""
    install: str
    checkout: str
    """Where its sources lie in the image."""
    ref: str
    """Empty for local sources."""
    archs: tuple[str, ...]
    """What it is compiled for."""
    requires: tuple[str, ...]


class PlannedImage(_Record):
    """What the plan says that the image is."""

    cell: str
    target: str
    arch: str
    archs: tuple[str, ...]
    python: str
    workdir: str
    user: str
    entrypoint: tuple[str, ...]
    command: tuple[str, ...]
    env: dict[str, str]
    labels: dict[str, str]
    digest: str
    """The plan's digest; empty where it cannot be known."""
    keep: tuple[str, ...]
    components: tuple[PlannedComponent, ...]
    torch: str
    """``rocm`` or ``cpu``: which torch belongs into the image."""
    max_image_mib: int
    max_layer_mib: int

    @property
    def modules(self) -> tuple[str, ...]:
        """Import names of the components."""
        return tuple(component.module for component in self.components if component.module)


class Waiver(_Record):
    """A failure that is known and borne, until a date."""

    check: str
    reason: str
    until: str
    """ISO date, the last day."""


class Names(_Record):
    """Names of one package that the cell's framework uses, and what the sources at the pins say about them."""

    package: str
    wanted: dict[str, str]
    """Name -> the part of it that must be a module."""
    expected: dict[str, Literal["there", "missing", "unknown"]]


class Order(_Record):
    """One image to judge."""

    planned: PlannedImage
    detail: dict[str, Any]
    history: tuple[dict[str, Any], ...]
    container: str
    tiers: tuple[Tier, ...]
    waivers: tuple[Waiver, ...] = ()
    gpu: Gpu | None = None
    no_gpu: str = "no AMD GPU"
    """Why there is no ``gpu``."""
    probe: Path
    results: Path
    """JSON lines, one a check."""
    folder: Path
    export_kernels: Path | None = None
    contract: tuple[Names, ...] = ()
    no_contract: str = ""
    """Why ``contract`` could not be read from the pins."""


def planned(image: ImagePlan, digest: str) -> PlannedImage:
    """The plan's side of the comparison."""
    from rocmimg.render.dockerfile import runtime_env

    cell = image.cell
    config = cell.config
    return PlannedImage(
        cell=cell.id,
        target=cell.target,
        arch=cell.arch,
        archs=cell.archs,
        python=config.python,
        workdir=config.workdir,
        user=config.user,
        entrypoint=config.entrypoint,
        command=config.command,
        env=runtime_env(cell),
        labels=dict(image.labels),
        digest=digest,
        keep=config.keep,
        components=tuple(
            PlannedComponent(
                name=component.name,
                recipe=component.recipe.name,
                module=component.module,
                import_needs_gpu=component.recipe.import_needs_gpu,
                kernels=component.recipe.kernels,
                prebuilt=bool(cell.flags.get(component.recipe.prebuilt, component.recipe.kernels)),
                install=component.install or "",
                checkout=f"{config.workdir}/{component.directory}",
                ref="" if component.local else component.config.ref,
                archs=component.archs or cell.archs,
                requires=component.config.requires,
            )
            for component in cell.components
        ),
        torch=config.checks.torch,
        max_image_mib=config.checks.max_image_mib,
        max_layer_mib=config.checks.max_layer_mib,
    )
