"""Checks and their results, as records."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Final, Literal

from rocmimg.errors import ChecksFailed, NotProven

Tier = Literal["image", "import", "aot", "gpu"]
"""What a check needs: the image's configuration and files; its interpreter; its compilers; a GPU."""
TIERS: Final[tuple[Tier, ...]] = ("image", "import", "aot", "gpu")

Status = Literal["passed", "failed", "not-run", "not-applicable", "waived"]
"""``not-run`` is a proof that is missing; ``not-applicable`` says that there is nothing of the kind in the image."""
CellStatus = Literal["passed", "failed", "not-run"]


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckInfo:
    """One check of the suite."""

    id: str
    tier: Tier
    classes: tuple[str, ...]
    """Failure classes of docs/failure-classes.md that it catches."""
    title: str
    path: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckResult:
    """What one check said of one image."""

    id: str
    tier: Tier
    classes: tuple[str, ...]
    status: Status
    title: str = ""
    reason: str = ""
    """What was wrong, or why it was not run; empty where it passed."""
    cause: str = ""
    cure: str = ""
    seconds: float = 0.0
    details: Mapping[str, Any] = field(default_factory=dict)
    """Facts that the check found, as JSON takes them."""

    @property
    def evidence(self) -> Mapping[str, str]:
        """Longer texts that belong to a failure, by source: a process's last words, a tool's answer, a log's end."""
        found: Mapping[str, str] = self.details.get("evidence", {})
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageResult:
    """All checks of one image, bound to that image."""

    id: str
    """The cell."""
    target: str
    gpu_arch: str
    image: str
    """A reference of the image; empty where there is none."""
    image_id: str
    digest: str
    """The plan digest in the image's label."""
    repo_digests: tuple[str, ...] = ()
    started: str
    """RFC 3339, UTC."""
    seconds: float
    engine: str
    device: str
    """The GPU that was used; empty for none."""
    checks: tuple[CheckResult, ...]
    coverage: Mapping[str, Any] = field(default_factory=dict)
    """GPU code by package: see ``rocmimg.checks.coverage``."""
    notes: tuple[str, ...] = ()
    log: str = ""
    """Path of the suite's own output."""
    reason: str = ""
    """Why there are no checks, where there are none."""

    @property
    def status(self) -> CellStatus:
        """``passed``: all that was asked for was proven; ``not-run``: a proof is missing, see ``missing``."""
        found = {check.status for check in self.checks}
        if "failed" in found:
            return "failed"
        return "passed" if "passed" in found and "not-run" not in found else "not-run"

    @property
    def missing(self) -> tuple[CheckResult, ...]:
        """Checks that could not be run."""
        return tuple(check for check in self.checks if check.status == "not-run")

    @property
    def failures(self) -> tuple[CheckResult, ...]:
        """Checks that failed."""
        return tuple(check for check in self.checks if check.status == "failed")

    def tier(self, tier: Tier) -> Counter[Status]:
        """How many checks of a tier ended how."""
        return Counter(check.status for check in self.checks if check.tier == tier)

    def as_json(self) -> dict[str, Any]:
        """The object of ``test --json`` and of build/results/<cell>.json."""
        record = asdict(self)
        return {
            "id": self.id,
            "status": self.status,
            **{key: value for key, value in record.items() if key not in ("id", "seconds")},
            "seconds": round(self.seconds, 3),
            "tiers": {tier: dict(counts) for tier in TIERS if (counts := self.tier(tier))},
            "not_run": [{"id": check.id, "reason": check.reason} for check in self.missing],
        }


def result_from_json(record: Mapping[str, Any]) -> ImageResult:
    """The opposite of :meth:`ImageResult.as_json`; keys of later versions are left out."""
    checks = tuple(
        CheckResult(
            **{**{k: v for k, v in one.items() if k in CheckResult.__slots__}, "classes": tuple(one["classes"])}
        )
        for one in record["checks"]
    )
    known = {key: value for key, value in record.items() if key in ImageResult.__slots__}
    for key in ("repo_digests", "notes"):
        known[key] = tuple(known.get(key, ()))
    return ImageResult(**{**known, "checks": checks})


def exit_code(results: Sequence[ImageResult], *, require_gpu: bool) -> int:
    """0; ChecksFailed's where a check failed; NotProven's where an image could not be judged at all, or, with
    ``require_gpu``, where any check could not be run."""
    if any(result.failures for result in results):
        return ChecksFailed.exit_code
    if any(not result.checks for result in results):
        return NotProven.exit_code
    if require_gpu and any(result.missing for result in results):
        return NotProven.exit_code
    return 0
