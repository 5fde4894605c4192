"""One run of a verb: every page is drawn from this, and it knows nothing of engines or registries."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from rocmimg.checks.model import ImageResult

Verb = Literal["build", "test", "status", "plan"]
State = Literal["ok", "missing", "failed", "info"]
"""``ok`` is proven, ``missing`` lacks a proof, ``info`` says nothing about proofs."""
StepState = Literal["done", "cached", "failed", "cancelled"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """What a run was."""

    verb: Verb
    when: str
    who: str
    commit: str
    """Of images.yaml; empty where there is none."""
    engine: str
    """Engine, or registry."""
    device: str = ""
    version: str
    """Of rocmimg."""
    seconds: float = 0.0
    exit_code: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """One stage of the Dockerfile."""

    name: str
    uses: tuple[str, ...] = ()
    why: str = ""
    """Why it would be rebuilt; empty where it would not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pin:
    """What a component is built from."""

    name: str
    ref: str
    commit: str = ""
    source: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One step of a build."""

    stage: str
    """Empty for the engine's own work."""
    text: str
    state: StepState
    start: float
    """Seconds since the cell's build began."""
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """One layer of an image."""

    text: str
    """The instruction that made it."""
    size: int
    base: bool
    """It came with the base image."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Build:
    """What became of one cell in a build."""

    status: Literal["built", "up-to-date", "failed", "cancelled"]
    image_id: str = ""
    size: int = 0
    began: float = 0.0
    """Seconds since the epoch; 0 where its turn never came."""
    seconds: float = 0.0
    reasons: tuple[str, ...] = ()
    steps: tuple[Step, ...] = ()
    error: str = ""
    failed_step: str = ""
    last_lines: tuple[str, ...] = ()
    log: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What a build would do."""

    action: str
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """One time at which a name was pointed to an image."""

    when: str
    kind: Literal["promotion", "rollback"]
    who: str
    version: str
    digest: str
    proofs: tuple[str, ...] = ()
    overridden: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Name:
    """A public name, or a candidate, as the registry has it."""

    kind: Literal["alias", "tag", "candidate", "unfinished"]
    name: str
    digest: str
    when: str = ""
    who: str = ""
    proofs: tuple[str, ...] = ()
    states: Mapping[str, str] = field(default_factory=dict)
    """Required tier -> proven, failed, missing or overridden."""
    history: tuple[Move, ...] = ()
    """Oldest first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """An image in the registry, to be compared with another one."""

    label: str
    digest: str
    layers: Mapping[str, int]
    """Digest -> compressed size, lowest first."""
    pins: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """All that is known of one cell, or of one image."""

    id: str
    archs: tuple[str, ...] = ()
    base: str = ""
    stages: tuple[Stage, ...] = ()
    pins: tuple[Pin, ...] = ()
    decision: Decision | None = None
    build: Build | None = None
    checks: ImageResult | None = None
    layers: tuple[Layer, ...] = ()
    names: tuple[Name, ...] = ()
    released: Published | None = None
    candidate: Published | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """A run and its cells, in the plan's order."""

    head: Head
    cells: tuple[Cell, ...]
    notes: tuple[str, ...] = ()
