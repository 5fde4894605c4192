"""What is wrong, and what is not proven: each cause once, with all its cells."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from rocmimg.checks.classes import CLASSES
from rocmimg.checks.model import TIERS, CheckResult
from rocmimg.report.checks import missing_rows
from rocmimg.report.page.model import Build, Cell, Run
from rocmimg.report.page.places import link

_WHAT: Final = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """Something wrong, and the cells on which it is."""

    name: str
    cells: tuple[str, ...]
    classes: tuple[str, ...] = ()
    what: tuple[str, ...]
    more: tuple[str, ...] = ()
    cause: str = ""
    cure: str = ""
    evidence: Mapping[str, str] = field(default_factory=dict)
    logs: tuple[tuple[str, str], ...] = ()
    """Cell -> its log as the page links to it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Missing:
    """A reason, and the proofs that it is the reason for."""

    reason: str
    checks: tuple[tuple[str, tuple[str, ...]], ...]
    cells: tuple[str, ...]


def failures(run: Run, page: Path) -> list[Failure]:
    """Builds that failed, then failed checks, each cause once with all its cells."""
    found = [_failed_build(step, error, cells, page) for (step, error), cells in _failed_builds(run).items()]
    grouped: dict[tuple[str, str, str, tuple[str, ...]], list[tuple[str, CheckResult]]] = {}
    for cell in run.cells:
        for check in cell.checks.failures if cell.checks else ():
            for (cause, cure), findings in check.wrong.items() or {(check.cause, check.fix): ()}.items():
                what = tuple(one.what for one in findings) or (check.reason,)
                grouped.setdefault((check.id, cause, cure, what), []).append((cell.id, check))
    for (name, cause, cure, what), where in grouped.items():
        found.append(
            Failure(
                name=name,
                cells=tuple(dict.fromkeys(cell for cell, _ in where)),
                classes=where[0][1].classes,
                what=what[:_WHAT],
                more=what[_WHAT:],
                cause=cause,
                cure=cure,
                evidence={
                    f"{source}, {cell}": text for cell, check in where for source, text in check.evidence.items()
                },
            )
        )
    return found


def _failed_builds(run: Run) -> dict[tuple[str, str], list[tuple[str, Build]]]:
    found: dict[tuple[str, str], list[tuple[str, Build]]] = {}
    for cell in run.cells:
        if cell.build and cell.build.status == "failed":
            found.setdefault((cell.build.failed_step, cell.build.error), []).append((cell.id, cell.build))
    return found


def _failed_build(step: str, error: str, where: Sequence[tuple[str, Build]], page: Path) -> Failure:
    return Failure(
        name=f"Build, step {step}" if step else "Build",
        cells=tuple(cell for cell, _ in where),
        what=(error,),
        evidence={f"last lines, {cell}": "\n".join(build.last_lines) for cell, build in where if build.last_lines},
        logs=tuple((cell, link(build.log, page)) for cell, build in where if build.log),
    )


def missing(run: Run) -> list[Missing]:
    """What was not proven, by reason."""
    results = [cell.checks for cell in run.cells if cell.checks]
    classes = {check.id: check.classes for result in results for check in result.checks}
    found = [
        Missing(reason=reason, checks=tuple((check, classes.get(check, ())) for check in checks), cells=cells)
        for reason, checks, cells in missing_rows(results)
    ]
    if run.head.verb == "status":
        by_proof: dict[str, list[str]] = {}
        for cell in run.cells:
            for name in cell.names:
                for proof in name.proofs:
                    if name.states.get(proof.partition(":")[0]) not in ("proven", None):
                        by_proof.setdefault(proof, []).append(cell.id)
        return [
            Missing(
                reason=proof.partition(": ")[2],
                checks=((proof.partition(":")[0], ()),),
                cells=tuple(dict.fromkeys(where)),
            )
            for proof, where in by_proof.items()
        ]
    unasked: dict[tuple[str, ...], list[str]] = {}
    for one in results:
        if one.checks and (tiers := tuple(tier for tier in TIERS if not one.tier(tier))):
            unasked.setdefault(tiers, []).append(one.id)
    found += [
        Missing(
            reason="nobody asked for it", checks=tuple((f"all of {tier}", ()) for tier in tiers), cells=tuple(cells)
        )
        for tiers, cells in unasked.items()
    ]
    reasons: dict[str, list[str]] = {}
    for cell in run.cells:
        if cell.build and cell.build.status == "cancelled":
            reasons.setdefault("; ".join(cell.build.reasons) or "not built", []).append(cell.id)
        elif cell.checks and not cell.checks.checks:
            reasons.setdefault(cell.checks.reason or "not tested", []).append(cell.id)
        elif not cell.checks and _there(cell):
            reasons.setdefault("this image was not tested: run `rocmimg test`", []).append(cell.id)
    return [
        *(Missing(reason=why, checks=(("every check", ()),), cells=tuple(ids)) for why, ids in reasons.items()),
        *found,
    ]


def _there(cell: Cell) -> bool:
    """Whether there is an image of the cell."""
    if cell.build:
        return cell.build.status != "failed"
    return cell.decision is not None and cell.decision.action != "build"


def explained(run: Run) -> list[tuple[str, str]]:
    """Failure classes that stand on the page, in words."""
    named = {name for cell in run.cells if cell.checks for check in cell.checks.checks for name in check.classes}
    return [(name, CLASSES[name]) for name in sorted(named) if name in CLASSES]
