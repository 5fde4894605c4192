"""The gate: may this digest have public names? Pure; what it needs to know was read before."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from rocmimg.checks.model import CheckResult, ImageResult

State = Literal["proven", "failed", "missing", "overridden"]
_REASONS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What the records say of one required tier."""

    tier: str
    state: State
    reasons: tuple[str, ...] = ()
    """Why it failed or is missing; for ``overridden``, the reason that was given."""
    passed: int = 0
    devices: tuple[str, ...] = ()
    when: str = ""
    """Of the newest record that counts."""

    def __str__(self) -> str:
        if self.state == "proven":
            count = f"{self.passed} passed" if self.passed else "nothing of the kind in the image"
            where = f" on {', '.join(self.devices)}" if self.devices else ""
            return f"{self.tier}: {count}{where}"
        more = f" and {len(self.reasons) - _REASONS} more" if len(self.reasons) > _REASONS else ""
        return f"{self.tier}: {self.state}: {'; '.join(self.reasons[:_REASONS])}{more}"


def evaluate(
    requires: Sequence[str], results: Sequence[ImageResult], overrides: Mapping[str, str] | None = None
) -> list[Verdict]:
    """One verdict a required tier. ``results`` come oldest first: the latest answer of each check counts.

    A check that could not be run answers nothing, so it does not undo an earlier answer. Each kind of GPU answers for
    itself: a failure on one is not undone by another. ``overrides`` (tier -> reason) stand for proofs that are missing,
    never for failures.
    """
    return [_verdict(tier, results, (overrides or {}).get(tier)) for tier in requires]


def may_pass(verdicts: Iterable[Verdict]) -> bool:
    """Whether every tier is proven or overridden."""
    return all(verdict.state in ("proven", "overridden") for verdict in verdicts)


def _verdict(tier: str, results: Sequence[ImageResult], override: str | None) -> Verdict:
    answers: dict[tuple[str, str], tuple[CheckResult, ImageResult]] = {}
    for result in results:
        for check in result.checks:
            key = check.id, result.device if tier == "gpu" else ""
            if check.tier == tier and (check.status != "not-run" or key not in answers):
                answers[key] = (check, result)
    answered = {check.id for check, _ in answers.values() if check.status != "not-run"}
    failed = [f"{check.id}: {check.reason}" for check, _ in answers.values() if check.status == "failed"]
    missing = _grouped([check for check, _ in answers.values() if check.id not in answered])
    if not answers:
        missing = ["not run on this digest"]
    counted = [(check, result) for check, result in answers.values() if check.status != "not-run"]
    common: dict[str, Any] = {
        "tier": tier,
        "passed": len({check.id for check, _ in counted if check.status in ("passed", "waived")}),
        "devices": tuple(sorted({result.device for _, result in counted if result.device})) if tier == "gpu" else (),
        "when": max((result.started for _, result in counted), default=""),
    }
    if failed:
        return Verdict(state="failed", reasons=tuple(failed), **common)
    if missing and override:
        return Verdict(state="overridden", reasons=(override,), **common)
    if missing:
        return Verdict(state="missing", reasons=tuple(missing), **common)
    return Verdict(state="proven", **common)


def _grouped(checks: Iterable[CheckResult]) -> list[str]:
    """What was not run, by reason."""
    by_reason: dict[str, list[str]] = {}
    for check in checks:
        by_reason.setdefault(check.reason, []).append(check.id)
    return [
        f"{ids[0] if len(ids) == 1 else f'{len(ids)} checks'} not run: {reason}" for reason, ids in by_reason.items()
    ]
