"""What a plan says that an image must be: read by checks, manifests, provenance and comparisons."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rocmimg.frozen import Record
from rocmimg.render.dockerfile import runtime_env

if TYPE_CHECKING:
    from rocmimg.plan.model import ImagePlan


class ExpectedComponent(Record):
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


class ExpectedImage(Record):
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
    components: tuple[ExpectedComponent, ...]
    torch: str
    """``rocm`` or ``cpu``: which torch belongs into the image."""
    max_image_mib: int
    max_layer_mib: int

    @property
    def modules(self) -> tuple[str, ...]:
        """Import names of the components."""
        return tuple(component.module for component in self.components if component.module)


def expected_image(image: ImagePlan, digest: str) -> ExpectedImage:
    """The plan's side of the comparison."""
    cell = image.cell
    config = cell.config
    return ExpectedImage(
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
            ExpectedComponent(
                name=component.name,
                recipe=component.recipe.name,
                module=component.module,
                import_needs_gpu=component.recipe.import_needs_gpu,
                kernels=component.recipe.kernels,
                prebuilt=bool(cell.flags.get(component.recipe.prebuilt, component.recipe.kernels)),
                install=component.install or "",
                checkout=f"{config.workdir}/{component.directory}",
                ref=component.git.ref if component.git else "",
                archs=component.archs or cell.archs,
                requires=component.config.requires,
            )
            for component in cell.components
        ),
        torch=config.checks.torch,
        max_image_mib=config.checks.max_image_mib,
        max_layer_mib=config.checks.max_layer_mib,
    )
