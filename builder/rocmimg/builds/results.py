"""What became of each cell."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Literal

from rocmimg.builds.steps import Step, moment
from rocmimg.errors import BuildError, RocmimgError
from rocmimg.paths import write_atomic
from rocmimg.terminal import json_text

Status = Literal["built", "up-to-date", "failed", "cancelled"]


@dataclass(frozen=True, slots=True, kw_only=True)
class CellResult:
    """One cell after a build."""

    id: str
    status: Status
    seconds: float
    image_id: str | None = None
    digest: str | None = None
    size: int | None = None
    """Bytes."""
    tags: tuple[str, ...] = ()
    reasons: tuple[str, ...] = ()
    """Why it was built, or was not."""
    started: float = 0.0
    """Seconds since the epoch; 0 where its turn never came."""
    steps: tuple[Step, ...] = ()
    """What was done for it, by the time when it began."""
    log: str | None = None
    """Path of the full log."""
    log_error: str = ""
    """Why the log ends where it ends; empty where it is whole."""
    failed_step: str = ""
    last_lines: tuple[str, ...] = ()
    error: RocmimgError | None = None

    def as_json(self) -> dict[str, Any]:
        """The object of ``build --json`` and build/report.json."""
        record = {field.name: getattr(self, field.name) for field in fields(self)}
        return record | {
            "started": moment(self.started) if self.started else None,
            "ended": moment(self.started + self.seconds) if self.started else None,
            "seconds": round(self.seconds, 3),
            "steps": [step.as_json() for step in self.steps],
            "error": {"kind": self.error.kind, "message": str(self.error)} if self.error else None,
        }


def write_report(results: Sequence[CellResult], path: Path) -> None:
    """Write build/report.json as a whole or not at all."""
    write_atomic(path, json_text([result.as_json() for result in results]) + "\n")


def exit_code(results: Sequence[CellResult]) -> int:
    """0, the code of the failures' kind, or a build failure's where the kinds differ."""
    codes = {result.error.exit_code for result in results if result.status == "failed" and result.error}
    if not codes:
        return 0 if all(result.status != "cancelled" for result in results) else BuildError.exit_code
    return codes.pop() if len(codes) == 1 else BuildError.exit_code
