"""Checks and their results, as records."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import date
from fnmatch import fnmatchcase
from typing import Any, Final, Literal

from rocmimg.errors import ChecksFailed, NotProven

Tier = Literal["image", "import", "aot", "gpu"]
"""What a check needs: the image's configuration and files; its interpreter; its compilers; a GPU."""
TIERS: Final[tuple[Tier, ...]] = ("image", "import", "aot", "gpu")

Status = Literal["passed", "failed", "not-run", "not-applicable", "waived"]
"""``not-run`` is a proof that is missing; ``not-applicable`` says that there is nothing of the kind in the image."""
CellStatus = Literal["passed", "failed", "not-run"]


def file_name(image: str) -> str:
    """A cell's id, or an image's reference, as one part of a path."""
    return re.sub(r"[^\w.-]+", "-", image)


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiver:
    """A failure that is known and accepted until a date."""

    check: str
    reason: str
    until: str
    """ISO date, the last day."""
    path: str = ""
    """Pattern (as in a shell) of the paths in the image that it is for; empty for all that the check finds."""

    def covers(self, check: str, path: str) -> bool:
        """Whether it is for a finding of this check at this path."""
        return self.check == check and (not self.path or fnmatchcase(path, self.path))

    def in_force(self, today: date) -> bool:
        """Whether its last day is not over."""
        return today <= date.fromisoformat(self.until)


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that a check found wrong, or with ``level`` "note" worth knowing."""

    what: str
    path: str = ""
    """File of the image that it is about, where it is about one."""
    cause: str = ""
    fix: str = ""
    level: Literal["failure", "note"] = "failure"
    waiver: Waiver | None = None
    """The waiver that covers it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckInfo:
    """One check of the suite."""

    id: str
    tier: Tier
    classes: tuple[str, ...]
    """Failure classes of docs/failure-classes.md that it catches."""
    title: str
    path: str
    digest: str = ""
    """sha256 of the file that has the check."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckResult:
    """What one check said of one image."""

    id: str
    tier: Tier
    classes: tuple[str, ...]
    status: Status
    title: str = ""
    reason: str = ""
    """The first thing that was wrong and how many more there are, or why it was not run; empty where it passed."""
    cause: str = ""
    fix: str = ""
    findings: tuple[Finding, ...] = ()
    """Everything that was found, in the check's order."""
    digest: str = ""
    """sha256 of the file that has the check: two results with one digest are answers of the same check."""
    started: str = ""
    """RFC 3339, UTC; empty where it was not run."""
    run: str = ""
    """Name of the run that it is from: results of several runs may stand in one file."""
    seconds: float = 0.0
    device: str = ""
    """The GPU that it ran on, for the tier gpu."""
    archs: tuple[str, ...] = ()
    """GPU architectures that it answers for: the device's for the tier gpu, else the image's."""
    details: Mapping[str, Any] = field(default_factory=dict)
    """Facts that the check found, as JSON takes them."""

    @property
    def waivers(self) -> tuple[Waiver, ...]:
        """The waivers that were needed, each once."""
        return tuple(dict.fromkeys(one.waiver for one in self.findings if one.waiver))

    @property
    def wrong(self) -> dict[tuple[str, str], list[Finding]]:
        """The findings that make it fail, by what they have in common: cause and fix."""
        found: dict[tuple[str, str], list[Finding]] = {}
        for one in self.findings:
            if one.level == "failure" and not one.waiver:
                found.setdefault((one.cause, one.fix), []).append(one)
        return found

    @property
    def notes(self) -> tuple[Finding, ...]:
        """What is worth knowing and no failure."""
        return tuple(one for one in self.findings if one.level == "note")

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
    run: str = ""
    """Name of this run of the checks, never used twice."""
    started: str
    """RFC 3339, UTC."""
    seconds: float
    engine: str
    device: str
    """The GPU that was used; empty for none."""
    archs: tuple[str, ...] = ()
    """GPU architectures that the image is for."""
    suite_version: str = ""
    """Version of rocmimg whose checks these are."""
    suite_digest: str = ""
    """sha256 over the files of the suite, the project's own checks included."""
    waivers: tuple[Waiver, ...] = ()
    """All waivers in force when it was judged, needed or not."""
    conditions: str = ""
    """Conditions that it was tried under besides the usual ones; empty where nobody asked."""
    checks: tuple[CheckResult, ...]
    coverage: Mapping[str, Any] = field(default_factory=dict)
    """GPU code by package: see ``rocmimg.checks.coverage``."""
    notes: tuple[str, ...] = ()
    log: str = ""
    """Path of the suite's own output."""
    reason: str = ""
    """Why there are no checks, where there are none."""
    error_code: int = 0
    """Exit code of the engine's or a disk's error that is the reason; 0 for any other."""

    @property
    def status(self) -> CellStatus:
        """``passed``: all that was asked for was proven; ``not-run``: a proof is missing, see ``missing``."""
        found = {check.status for check in self.checks}
        if "failed" in found:
            return "failed"
        proven = "passed" in found and "not-run" not in found and not self.unproven_archs
        return "passed" if proven else "not-run"

    @property
    def gpu_archs(self) -> dict[str, str]:
        """Architecture of the image -> the GPU on which the gpu tier passed, empty for none; {} where nobody asked."""
        mine = [check for check in self.checks if check.tier == "gpu"]
        if not mine:
            return {}
        shown = {
            arch: check.device
            for check in mine
            for arch in check.archs
            if check.status == "passed"
            and check.device
            and not any(c.status == "failed" for c in mine if arch in c.archs)
        }
        return {arch: shown.get(arch, "") for arch in self.archs}

    @property
    def unproven_archs(self) -> tuple[str, ...]:
        """Architectures of the image that the gpu tier was asked for and has not passed on."""
        return tuple(arch for arch, device in self.gpu_archs.items() if not device)

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
            "gpu_archs": self.gpu_archs,
        }


def result_from_json(record: Any) -> ImageResult:
    """The opposite of :meth:`ImageResult.as_json`; keys of later versions are left out.

    Raises:
        ValueError: it is something else.
    """
    from rocmimg.frozen import read_as

    return read_as(ImageResult, record)


def check_from_json(record: Any) -> CheckResult:
    """One check of it.

    Raises:
        ValueError: it is something else.
    """
    from rocmimg.frozen import read_as

    return read_as(CheckResult, record)


def exit_code(results: Sequence[ImageResult], *, require_gpu: bool) -> int:
    """0; ChecksFailed's where a check failed; that of the engine or a disk that kept an image from being judged;
    NotProven's where an image could not be judged for another reason, or, with ``require_gpu``, where any check could
    not be run."""
    if any(result.failures for result in results):
        return ChecksFailed.exit_code
    if code := max((result.error_code for result in results), default=0):
        return code
    if any(not result.checks for result in results):
        return NotProven.exit_code
    if require_gpu and any(result.missing or result.unproven_archs for result in results):
        return NotProven.exit_code
    return 0
