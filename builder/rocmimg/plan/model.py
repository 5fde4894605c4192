"""The Plan: all that build, checks, exports and reports need to know of an image before it exists."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal

from rocmimg.engine.context import ContextFile
from rocmimg.errors import Position
from rocmimg.matrix.cell import Cell, ResolvedComponent
from rocmimg.matrix.model import Rootfs
from rocmimg.plan.expected import ExpectedImage
from rocmimg.plan.recognition import digest_of
from rocmimg.render import Stage

OWN_NAME: Final = ".rocmimg.Dockerfile"
"""What a Dockerfile of the project's own is called beside its context, which may have a file of any other name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RootfsPlan:
    """A root file system that is made from packages before the build."""

    rootfs: Rootfs
    archive: Path
    """Where the tar file is, or will be."""
    key: str
    """What decides its content, as hexadecimal digits."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Input:
    """One thing that an image is built from, and the stage that it changes."""

    kind: Literal["stage", "rootfs", "source", "file", "manifest", "head", "argument", "context", "image"]
    name: str = ""
    """The stage, the component, the file, or the build argument; empty where there is one only."""
    stage: str
    sha256: str

    @property
    def label(self) -> str:
        """Its name in the label io.rocmimg.inputs."""
        return f"{self.kind} of {self.name}" if self.kind == "source" else f"{self.kind} {self.name}".rstrip()


@dataclass(frozen=True, slots=True, kw_only=True)
class CachedBuild:
    """An image's Dockerfile with the mounts of its caches. They are no input: the image is the same without them."""

    dockerfile: str
    context: tuple[ContextFile, ...]
    """What its steps mount besides."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ImagePlan:
    """One image: what it is built from, under which names, and how it is recognized afterwards."""

    cell: Cell
    dockerfile: str
    stages: tuple[Stage, ...]
    context: tuple[ContextFile, ...] = field(repr=False)
    base: str
    """The reference after the first FROM; ``scratch`` for a rootfs."""
    rootfs: RootfsPlan | None
    inputs: tuple[Input, ...]
    """All but the base image's id, which is known at build."""
    expected: ExpectedImage
    """What the image must be."""
    build_args: Mapping[str, str] = field(default_factory=dict)
    target: str = ""
    """The stage that becomes the image; the last one when empty."""
    other_images: tuple[str, ...] = ()
    """Images besides the base that its steps copy from or mount, or that other stages start from."""
    with_caches: Callable[[bool], CachedBuild] | None = field(default=None, repr=False, compare=False)
    """Makes the text for a build that may use caches, with a store on the network or without; only what is really
    built needs it. None for a project's own."""

    def build_files(self, *, caches: bool, store: bool = False) -> tuple[str, tuple[ContextFile, ...]]:
        """The Dockerfile and its context, with the mounts of the caches or without, and with the secret that names
        sccache's store on the network where the builder has it."""
        if not caches or self.with_caches is None:
            return self.dockerfile, self.context
        cached = self.with_caches(store)
        return cached.dockerfile, tuple(sorted((*self.context, *cached.context), key=lambda file: file.path))

    @property
    def prebuilt(self) -> str:
        """The image that another pipeline builds; empty where this plan is built."""
        return self.cell.prebuilt

    @property
    def id(self) -> str:
        """The cell's id."""
        return self.cell.id

    @property
    def needs(self) -> str | None:
        """The cell that must be there first."""
        return self.cell.base_cell

    @property
    def tags(self) -> tuple[str, ...]:
        """Its names, registry included."""
        return self.cell.tags

    @property
    def rootfs_key(self) -> str:
        """What decides the content of the root file system that it starts from; empty without one."""
        return self.rootfs.key if self.rootfs else ""

    @property
    def labels(self) -> Mapping[str, str]:
        """OCI labels that are known before the build."""
        return self.expected.labels

    @property
    def named_inputs(self) -> dict[str, str]:
        """``inputs`` by name, as the label has them."""
        return {one.label: one.sha256 for one in self.inputs}

    def all_inputs(self, base_id: str) -> dict[str, str]:
        """``named_inputs`` and the base image's id."""
        return {"base image": base_id, **self.named_inputs}

    def origin(self, line: int) -> Position:
        """The line of images.yaml that a line of the Dockerfile comes from: its component, the base, or the cell.

        A Dockerfile of the project's own has the line itself.
        """
        if self.cell.dockerfile:
            return self.cell.dockerfile.position(line)
        for stage in self.stages:
            first = self.dockerfile.count("\n", 0, self.dockerfile.find(stage.text)) + 1
            if first <= line <= first + stage.text.count("\n"):
                if any(component.name == stage.name for component in self.cell.components):
                    return self.cell.position("components", stage.name)
                return self.cell.position(*(("base",) if stage.name == "base" else ()))
        return self.cell.position()

    @property
    def dockerfile_name(self) -> str:
        """What it is called beside its context."""
        return OWN_NAME if self.cell.dockerfile else "Dockerfile"

    @property
    def pinned_digest(self) -> str:
        """The digest of what another pipeline builds: it stands for a plan's; empty where a tag alone names it."""
        return self.prebuilt.partition("@")[2]

    def digest(self, base_id: str) -> str:
        """sha256 over every input, base image included: equal digests mean equal recipes."""
        return digest_of(self.all_inputs(base_id))


def stage_of(component: ResolvedComponent, stages: Iterable[Stage]) -> str:
    """The stage in which a component is built or, where it has none of its own, installed."""
    if component.recipe.in_base_stage:
        return "base"
    return component.name if any(stage.name == component.name for stage in stages) else "final"


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Images in an order in which each comes after the cell that it starts from."""

    images: tuple[ImagePlan, ...]

    def __getitem__(self, cell_id: str) -> ImagePlan:
        """The image of a cell.

        Raises:
            KeyError: the plan has none.
        """
        for image in self.images:
            if image.id == cell_id:
                return image
        raise KeyError(cell_id)
