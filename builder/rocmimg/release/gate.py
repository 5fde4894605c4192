"""The gate: may this digest have public names? Pure; what it needs to know was read before."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Literal

from rocmimg.checks.model import CheckInfo, CheckResult, Finding, ImageResult, Tier, Waiver
from rocmimg.release.records import Checked

State = Literal["proven", "failed", "missing", "overridden"]
_REASONS = 3
_ANSWERS = ("passed", "not-applicable")


@dataclass(frozen=True, slots=True, kw_only=True)
class Demand:
    """What one image must have shown, as images.yaml and the suite say it today."""

    cell: str
    plan: str
    """The plan's digest in the image's label."""
    archs: tuple[str, ...]
    """Each needs its own answer of the gpu tier."""
    tiers: tuple[Tier, ...]
    suite: Sequence[CheckInfo]
    waivers: Sequence[Waiver] = ()
    today: date

    def waivers_of(self, check: CheckResult) -> tuple[Waiver, ...]:
        """Waivers that are in force today and together cover all that a check found; none where one thing is not."""
        failures = [one for one in check.findings if one.level == "failure"] or [Finding(what=check.reason)]
        valid = [one for one in self.waivers if one.in_force(self.today)]
        found = [next((w for w in valid if w.covers(check.id, one.path)), None) for one in failures]
        return tuple(dict.fromkeys(one for one in found if one)) if all(found) else ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What the records say of one required tier."""

    tier: str
    state: State
    reasons: tuple[str, ...] = ()
    """Why it failed or is missing; for ``overridden``, the reason that was given."""
    passed: int = 0
    waived: tuple[str, ...] = ()
    devices: tuple[str, ...] = ()

    def __str__(self) -> str:
        if self.state == "proven":
            count = (
                f"{self.passed} passed" if self.passed else "" if self.waived else "nothing of the kind in the image"
            )
            waived = f"{len(self.waived)} waived ({'; '.join(self.waived)})" if self.waived else ""
            where = f" on {', '.join(self.devices)}" if self.devices else ""
            return f"{self.tier}: {', '.join(filter(None, (count, waived)))}{where}"
        more = f" and {len(self.reasons) - _REASONS} more" if len(self.reasons) > _REASONS else ""
        return f"{self.tier}: {self.state}: {'; '.join(self.reasons[:_REASONS])}{more}"


def evaluate(
    demand: Demand,
    records: Sequence[Checked],
    overrides: Mapping[str, str] | None = None,
    *,
    notes: Sequence[str] = (),
) -> list[Verdict]:
    """One verdict per required tier.

    Every check of the suite needs an answer by its version of today. A failure counts until the same check passed in a
    run whose record was attached where the failure's was seen; which of two is later is never read from a clock. A
    check that could not be run answers nothing. ``overrides`` (tier -> reason) stand for proofs that are missing, never
    for failures. ``notes`` say why further records were not looked at.
    """
    mine = [one for one in records if (one.result.id, one.result.digest) == (demand.cell, demand.plan)]
    if len(mine) < len(records):
        notes = (*notes, f"{len(records) - len(mine)} results are of another cell or plan")
    return [_Tier(demand, tier, mine).verdict((overrides or {}).get(tier), notes) for tier in demand.tiers]


def may_pass(verdicts: Iterable[Verdict]) -> bool:
    """Whether every tier is proven or overridden."""
    return all(verdict.state in ("proven", "overridden") for verdict in verdicts)


@dataclass(frozen=True, slots=True)
class _Answer:
    record: Checked
    check: CheckResult

    @property
    def result(self) -> ImageResult:
        return self.record.result

    def clears(self, failure: _Answer) -> bool:
        """Whether this run came after a failure was known; what a file kept of an earlier run did not."""
        return failure.record.digest in self.record.after and self.check.run == self.result.run


class _Tier:
    def __init__(self, demand: Demand, tier: Tier, records: Sequence[Checked]) -> None:
        self.demand = demand
        self.tier = tier
        self.records = records
        self.suite = {info.id: info for info in demand.suite if info.tier == tier}
        self.passed: set[str] = set()
        self.waived: dict[str, str] = {}
        self.devices: set[str] = set()
        self.failed: list[str] = []
        self.missing: list[str] = []

    def verdict(self, override: str | None, notes: Sequence[str]) -> Verdict:
        not_run: dict[str, set[str]] = {}
        if any(True for _ in self._answers()):
            for info in self.suite.values():
                for arch in self.demand.archs if self.tier == "gpu" else ("",):
                    self._check(info, arch, not_run)
            self.missing += [
                f"{next(iter(ids)) if len(ids) == 1 else f'{len(ids)} checks'} not run: {why}"
                for why, ids in not_run.items()
            ]
            self.missing += self._unknown()
        elif self.suite:
            self.missing.append("not run on this digest")
        common: dict[str, Any] = {
            "tier": self.tier,
            "passed": len(self.passed),
            "waived": tuple(self.waived.values()),
            "devices": tuple(sorted(self.devices)),
        }
        if self.failed:
            return Verdict(state="failed", reasons=tuple(self.failed), **common)
        if self.missing and override:
            return Verdict(state="overridden", reasons=(override,), **common)
        if self.missing:
            return Verdict(state="missing", reasons=(*self.missing, *notes), **common)
        return Verdict(state="proven", **common)

    def _answers(self) -> Iterator[_Answer]:
        return (_Answer(one, check) for one in self.records for check in one.result.checks if check.tier == self.tier)

    def _check(self, info: CheckInfo, arch: str, not_run: dict[str, set[str]]) -> None:
        name = f"{info.id} on {arch}" if len(self.demand.archs) > 1 and arch else info.id
        mine = [one for one in self._answers() if one.check.id == info.id]
        if arch:
            mine = [one for one in mine if arch in one.check.archs or not one.check.device]
        failures = [one for one in mine if one.check.status in ("failed", "waived")]
        good = [one for one in mine if one.check.status in _ANSWERS and one.check.digest == info.digest]
        if arch:
            good = [one for one in good if one.check.device and arch in one.check.archs]
        left = [bad for bad in failures if not any(self._clears(one, bad) for one in good)]
        waivers = [self.demand.waivers_of(bad.check) for bad in left]
        if left and all(waivers):
            self.waived[info.id] = f"{info.id} until {waivers[-1][0].until}: {waivers[-1][0].reason}"
        elif left:
            bad = left[waivers.index(())].check
            gone = " (no waiver for it is in force today)" if bad.status == "waived" else ""
            self.failed.append(f"{name}: {bad.reason}{gone}")
        elif good:
            if any(one.check.status == "passed" for one in good):
                self.passed.add(info.id)
        elif not mine:
            not_run.setdefault("it is not in the results", set()).add(name)
        elif any(one.check.status in _ANSWERS for one in mine):
            not_run.setdefault("another version of the check was", set()).add(name)
        else:
            not_run.setdefault(mine[-1].check.reason, set()).add(name)
        if self.tier == "gpu":
            self.devices |= {one.check.device for one in (*good, *failures) if one.check.device}

    def _clears(self, good: _Answer, bad: _Answer) -> bool:
        same_device = self.tier != "gpu" or good.check.device == bad.check.device
        return same_device and good.clears(bad)

    def _unknown(self) -> list[str]:
        """Checks that the suite of today does not have, unless a later run of the tier did without them."""
        found = {
            one.check.id: None
            for one in self._answers()
            if one.check.id not in self.suite
            and not any(
                one.record.digest in later.record.after and later.check.run == later.result.run
                for later in self._answers()
            )
        }
        return [f"{check_id} is in the results and not in the suite" for check_id in found]
