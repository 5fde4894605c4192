"""What a build, a pull or a push reports while it runs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias


@dataclass(frozen=True, slots=True, kw_only=True)
class StepStarted:
    """A step of a build began. The same step can begin again after it finished."""

    digest: str
    name: str
    cached: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class StepFinished:
    """A step of a build ended; ``error`` is empty where it went well."""

    digest: str
    name: str
    seconds: float
    cached: bool
    error: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class StepLog:
    """One line that a step wrote, without its end."""

    digest: str
    stream: int
    """1 standard output, 2 standard error."""
    text: str
    timestamp: float
    """Seconds since the epoch; 0 where the engine does not say."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Transfer:
    """Progress of a layer or of an export."""

    id: str
    """A layer's short id, or what the engine calls the work."""
    what: str
    """In the engine's words: "Downloading", "Extracting", "Pushed", "exporting layers"."""
    current: int
    """Bytes as far as the engine says; 0 where it does not."""
    total: int
    """0 where it is not known."""
    digest: str = ""
    """The step it belongs to, for builds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildWarning:
    """Something that the engine says about a Dockerfile."""

    digest: str
    text: str
    detail: str = ""
    url: str = ""


Event: TypeAlias = StepStarted | StepFinished | StepLog | Transfer | BuildWarning
