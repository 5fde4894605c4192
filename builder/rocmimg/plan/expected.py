"""What an image must be, said once: read by checks, the manifest, provenance, comparisons and ``list --json``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rocmimg.frozen import Record
from rocmimg.matrix.cell import Cell, Matrix, ResolvedComponent
from rocmimg.matrix.model import OptionValue
from rocmimg.source import as_json


class ExpectedComponent(Record):
    """A component of the image."""

    name: str
    recipe: str
    module: str
    """Import name; empty where it is not a Python package."""
    import_needs_gpu: bool
    kernels: bool
    """Its shared objects must hold GPU code for exactly the cell's archs."""
    prebuilt: bool
    """Its kernels are compiled into the image."""
    install: str
    checkout: str
    """Where its sources lie in the image."""
    source: str = "none"
    """``git``, ``local:FOLDER`` or ``none``."""
    repo: str = ""
    ref: str
    """As images.yaml names it; empty where the source is not git."""
    commit: str = ""
    """The commit that ``ref`` is or that the lock has for it; empty where neither tells."""
    picks: tuple[str, ...] = ()
    reverts: tuple[str, ...] = ()
    archs: tuple[str, ...]
    """What it is compiled for."""
    requires: tuple[str, ...]
    options: Mapping[str, OptionValue] = {}
    tools: Mapping[str, str] = {}
    """Python packages that its build needs."""
    apt: tuple[str, ...] = ()
    """Debian packages that its build needs."""
    build_env: Mapping[str, str] = {}
    """Variables of its build besides those that the recipe sets."""
    submodules: str = ""
    """Which are fetched, with spaces between paths; empty for the recipe's way."""

    def as_json(self) -> dict[str, Any]:
        """As ``list --json`` and the manifest have it: what it was made from."""
        shown = ("name", "recipe", "source", "repo", "ref", "commit", "picks", "reverts", "install", "options", "tools")
        return self.model_dump(mode="json", include=set(shown))


class ExpectedImage(Record):
    """What the plan says that the image is."""

    cell: str
    target: str
    arch: str
    archs: tuple[str, ...]
    """Empty where nobody says what the image is for: its own code tells."""
    archs_from: str = "the plan"
    """Who says so: the plan, --arch, a label or a variable of the image, or its own code."""
    planned: bool = True
    """False for an image that images.yaml does not describe."""
    variant: str = ""
    version: str = ""
    base: str = ""
    """The reference after the first FROM; ``scratch`` for a rootfs."""
    base_cell: str = ""
    """The cell that it starts from."""
    flags: Mapping[str, bool | int | str] = {}
    tags: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()
    configured: bool = True
    """Whether the plan says work directory, user, entry point and command; else the image's own configuration does."""
    python: str
    workdir: str
    user: str
    entrypoint: tuple[str, ...]
    command: tuple[str, ...]
    env: dict[str, str]
    labels: dict[str, str]
    """OCI labels that are known before the build."""
    digest: str = ""
    """The plan's digest; empty where it cannot be known."""
    keep: tuple[str, ...]
    uninstall: tuple[str, ...] = ()
    apt: tuple[str, ...] = ()
    """Debian packages of the final image."""
    base_apt: tuple[str, ...] = ()
    """Debian packages of every stage."""
    common_pip: Mapping[str, str] = {}
    """Python packages of every stage, and of the image."""
    pip: Mapping[str, str] = {}
    """Python packages of the final image."""
    components: tuple[ExpectedComponent, ...]
    torch: str
    """``rocm`` or ``cpu``: which torch belongs into the image."""
    max_image_mib: int
    max_layer_mib: int
    max_hidden_mib: int = 0

    @property
    def archs_asked(self) -> bool:
        """Whether the image must be for ``archs``, or only says itself that it is."""
        return self.archs_from in ("the plan", "--arch")

    @property
    def modules(self) -> tuple[str, ...]:
        """Import names of the components."""
        return tuple(component.module for component in self.components if component.module)

    def as_json(self) -> dict[str, Any]:
        """One row of ``list --json``."""
        return {
            "id": self.cell,
            "target": self.target,
            "gpu_arch": self.arch,
            "gpu_archs": list(self.archs),
            "variant": self.variant,
            "base": self.base_cell or self.base,
            "flags": dict(self.flags),
            "components": [component.as_json() for component in self.components],
            "tags": list(self.tags),
            "aliases": list(self.aliases),
        }


def expected_image(
    matrix: Matrix, cell: Cell, *, rootfs: bool = False, labels: Mapping[str, str] | None = None
) -> ExpectedImage:
    """What the image of ``cell`` must be. ``rootfs`` says whether this machine can make a rootfs base."""
    config = cell.config
    return ExpectedImage(
        cell=cell.id,
        target=cell.target,
        arch=cell.arch,
        archs=cell.archs,
        variant=cell.variant,
        version=config.version,
        base=matrix.base_reference(cell, rootfs=rootfs),
        base_cell=cell.base_cell or "",
        flags=dict(cell.flags),
        tags=cell.tags,
        aliases=cell.aliases,
        configured=cell.has_recipes,
        python=config.python,
        workdir=config.workdir,
        user=config.user,
        entrypoint=config.entrypoint,
        command=config.command,
        env=cell.runtime_env,
        labels=dict(labels or {}),
        keep=config.protect,
        uninstall=config.uninstall,
        apt=cell.runtime_apt,
        base_apt=config.base.apt,
        common_pip=dict(config.common_pip),
        pip=dict(config.pip),
        components=tuple(_component(cell, component) for component in cell.components),
        torch=config.checks.torch,
        max_image_mib=config.checks.max_image_mib,
        max_layer_mib=config.checks.max_layer_mib,
        max_hidden_mib=config.checks.max_hidden_mib,
    )


def _component(cell: Cell, component: ResolvedComponent) -> ExpectedComponent:
    recipe, submodules = component.recipe, component.config.submodules
    return ExpectedComponent(
        name=component.name,
        recipe=recipe.name,
        module=component.module,
        import_needs_gpu=recipe.import_needs_gpu,
        kernels=component.kernels,
        prebuilt=bool(cell.flags.get(recipe.prebuilt, component.kernels)),
        install=component.install or "",
        checkout=cell.checkout(component),
        **as_json(component.source),
        archs=component.archs or cell.archs,
        requires=component.config.capabilities,
        options=dict(component.options),
        tools=dict(component.build_pip),
        apt=component.build_apt,
        build_env=dict(component.config.build_env),
        submodules=submodules if isinstance(submodules, str) else " ".join(submodules),
    )
