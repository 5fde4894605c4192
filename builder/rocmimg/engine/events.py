"""What a build, a pull or a push reports while it runs."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

_DIGEST: Final = re.compile(r"digest: (sha256:[0-9a-f]{64})")


@dataclass(frozen=True, slots=True, kw_only=True)
class StepStarted:
    """A step of a build began. The same step can begin again after it finished."""

    digest: str
    name: str
    cached: bool
    started: float
    """Seconds since the epoch, by the engine's clock."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StepFinished:
    """A step of a build ended; ``error`` is empty where it went well."""

    digest: str
    name: str
    started: float
    """When what took these ``seconds`` began, since the epoch."""
    seconds: float
    cached: bool
    error: str = ""

    @property
    def cancelled(self) -> bool:
        """It failed in nothing: another step did, or the build was cancelled."""
        return "context canceled" in self.error


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


def follow(lines: Iterable[Mapping[str, Any]], on_event: Callable[[Event], None]) -> tuple[str, str]:
    """Report each line; the engine's error ("" for none) and the digest that a push ends with ("" for none)."""
    error = digest = ""
    for line in lines:
        if "error" in line:
            error = str((line.get("errorDetail") or {}).get("message") or line["error"])
        if isinstance(aux := line.get("aux"), dict):
            digest = str(aux.get("Digest", digest))
        if "status" in line:
            # The containerd store and podman say it in words only.
            if said := _DIGEST.search(str(line["status"])):
                digest = said[1]
            progress = line.get("progressDetail") or {}
            on_event(
                Transfer(
                    id=str(line.get("id", "")),
                    what=str(line["status"]),
                    current=int(progress.get("current", 0)),
                    total=int(progress.get("total", 0)),
                )
            )
    return error, digest
