"""What happened, in one line: never ``ok`` while a proof is missing, whatever the verb was asked for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from rocmimg.checks.model import TIERS, ImageResult
from rocmimg.report.page.model import Cell, Run, State, Verb
from rocmimg.report.page.words import counted, duration

_STATES: Final[Mapping[str, State]] = {"failed": "failed", "not-run": "missing", "passed": "ok"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """A line and how bad it is."""

    state: State
    text: str


def verdict(run: Run) -> Verdict:
    """The head line of a run."""
    if not run.cells:
        return Verdict(state="missing", text="No cell was selected, so nothing happened.")
    said = _SAID[run.head.verb](run.cells)
    code = f" It ended with exit code {run.head.exit_code}." if run.head.exit_code else ""
    # An exit code says that something is not as it was asked for, even where no cell shows what.
    state: State = "missing" if run.head.exit_code and said.state in ("ok", "info") else said.state
    return Verdict(state=state, text=said.text + code)


def _built(cells: Sequence[Cell]) -> Verdict:
    counts: Counter[str] = Counter(cell.build.status for cell in cells if cell.build)
    words = {"built": "built", "up-to-date": "up to date", "failed": "failed", "cancelled": "not built"}
    parts = ", ".join(f"{counts[status]} {word}" for status, word in words.items() if counts[status])
    of = f"Of {counted(len(cells), 'cell')}: {parts}."
    if counts["failed"] or counts["cancelled"]:
        return Verdict(state="failed" if counts["failed"] else "missing", text=of)
    proofs = _proofs([cell.checks for cell in cells])
    return Verdict(state=proofs.state, text=f"{of} {proofs.text}")


def _tested(cells: Sequence[Cell]) -> Verdict:
    return _proofs([cell.checks for cell in cells])


def _proofs(results: Sequence[ImageResult | None]) -> Verdict:
    """What is proven of images; None for one that was never tested."""
    judged = [one for one in results if one and one.checks]
    counts = Counter(check.status for one in judged for check in one.checks)
    failed = [one for one in judged if one.failures]
    lacking = [one for one in judged if one.missing or one.unproven_archs]
    unjudged = len(results) - len(judged)
    parts = []
    if failed:
        parts.append(
            f"{counted(counts['failed'], 'check')} failed on {len(failed)} of {counted(len(results), 'image')}."
        )
    if unjudged:
        parts.append(f"{_of(unjudged, len(results))} not tested.")
    if lacking:
        not_run = counts["not-run"]
        what = f"{counted(not_run, 'check')} could not be run" if not_run else "Not every GPU was there"
        parts.append(f"{what}: {_of(len(lacking), len(results))} not proven.")
    unasked = [tier for tier in TIERS if any(not one.tier(tier) for one in judged)]
    if unasked:
        parts.append(f"Nobody asked for {', '.join(unasked)}.")
    if counts["waived"]:
        parts.append(f"{counts['waived']} waived.")
    if not parts:
        return Verdict(state="ok", text=f"All {counts['passed']} checks passed on {counted(len(judged), 'image')}.")
    if counts["passed"]:
        parts.append(f"{counts['passed']} passed.")
    return Verdict(
        state="failed" if failed else "missing" if unjudged or lacking or unasked else "ok", text=" ".join(parts)
    )


def _of(number: int, whole: int) -> str:
    return f"{number} of {counted(whole, 'image')} {'is' if number == 1 else 'are'}"


def _planned(cells: Sequence[Cell]) -> Verdict:
    due = [cell for cell in cells if cell.decision and cell.decision.action == "build"]
    rebuilt = [cell for cell in cells if any(stage.why for stage in cell.stages)]
    if not any(cell.decision for cell in cells):
        stages = sum(1 for cell in rebuilt for stage in cell.stages if stage.why)
        text = f"The change rebuilds {counted(stages, 'stage')} in {len(rebuilt)} of {counted(len(cells), 'cell')}."
        return Verdict(state="info", text=text if rebuilt else "The change rebuilds nothing.")
    if not due:
        return Verdict(state="info", text=f"Nothing to build: {counted(len(cells), 'cell')} up to date.")
    return Verdict(state="info", text=f"{len(due)} of {counted(len(cells), 'cell')} would be built.")


def _published(cells: Sequence[Cell]) -> Verdict:
    names = [name for cell in cells for name in cell.names]
    public = [name for name in names if name.kind in ("alias", "tag")]
    unfinished = [name for name in names if name.kind == "unfinished"]
    absent = [name for name in public if not name.digest]
    states = {id(name): set(name.states.values()) for name in public if name.digest}
    failed = [name for name in public if "failed" in states.get(id(name), ())]
    lacking = [
        name for name in public if name not in failed and {"missing", "overridden"} & states.get(id(name), set())
    ]
    waiting = [
        cell
        for cell in cells
        for name in cell.names
        if name.kind == "candidate"
        and name.digest
        and name.digest not in {one.digest for one in cell.names if one.kind == "alias"}
    ]
    parts = []
    if unfinished:
        parts.append(f"{counted(len(unfinished), 'promotion')} unfinished.")
    if failed:
        parts.append(f"{len(failed)} of {counted(len(public), 'public name')} with failed checks.")
    if absent:
        parts.append(f"{len(absent)} of {counted(len(public), 'public name')} not there.")
    if lacking:
        parts.append(f"{len(lacking)} of {counted(len(public), 'public name')} without a required proof.")
    bad = bool(parts)
    if not public:
        parts, bad = ["These cells have no public names."], True
    elif not bad:
        parts.append(f"All {counted(len(public), 'public name')} are there, with every required proof.")
    if waiting:
        parts.append(f"{counted(len(waiting), 'candidate')} not promoted.")
    return Verdict(state="failed" if failed or unfinished else "missing" if bad else "ok", text=" ".join(parts))


_SAID: Final[Mapping[Verb, Callable[[Sequence[Cell]], Verdict]]] = {
    "build": _built,
    "test": _tested,
    "plan": _planned,
    "status": _published,
}


def cell_verdict(cell: Cell) -> Verdict:
    """The same of one cell, in a few words."""
    words: list[str] = []
    state: State = "info"
    if cell.decision:
        words.append("would be built" if cell.decision.action == "build" else "up to date")
    elif any(stage.why for stage in cell.stages):
        words.append(f"{counted(sum(1 for stage in cell.stages if stage.why), 'stage')} rebuilt")
    if build := cell.build:
        shown = {"built": f"built in {duration(build.seconds)}", "up-to-date": "up to date", "failed": "build failed"}
        words.append(shown.get(build.status, "not built"))
        if build.status in ("failed", "cancelled"):
            return Verdict(state="failed" if build.status == "failed" else "missing", text=words[-1])
    if cell.checks:
        result = cell.checks
        if not result.checks:
            return Verdict(state="missing", text=", ".join([*words, "not tested"]))
        counts: Counter[str] = Counter(check.status for check in result.checks)
        shown_counts = (("failed", "failed"), ("not-run", "not run"), ("waived", "waived"), ("passed", "passed"))
        words += [f"{counts[status]} {word}" for status, word in shown_counts if counts[status]]
        state = _STATES[result.status]
        if state == "ok" and not all(map(result.tier, TIERS)):
            state = "missing"
    elif build:
        state = "missing"
        words.append("not tested")
    if cell.names:
        public = _published([cell])
        state = public.state
        words.append(public.text)
    return Verdict(state=state, text=", ".join(words))
