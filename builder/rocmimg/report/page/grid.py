"""Cells x what is known of them, at a glance."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from rocmimg.checks.model import TIERS, Status
from rocmimg.report.page.model import Cell, Name, Run, State
from rocmimg.report.page.places import STATES, WORDS, anchor

_PROOF: Final[Mapping[str, State]] = {"proven": "ok", "failed": "failed", "missing": "missing", "overridden": "missing"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """One field of the grid."""

    state: State
    text: str
    anchor: str
    title: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One row of the grid."""

    name: str
    cell: str
    marks: tuple[Mark, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Grid:
    """Cells, or names, by what is known of them."""

    title: str
    first: str
    columns: tuple[str, ...]
    rows: tuple[Row, ...]


def grid(run: Run) -> Grid:
    """Cells x what is known of them; for `status`, names x required proofs."""
    if run.head.verb == "status":
        return _names_grid(run.cells)
    first = []
    if any(cell.decision for cell in run.cells):
        first.append("plan")
    if any(cell.build for cell in run.cells):
        first.append("build")
    columns = (*first, *TIERS)
    rows = tuple(
        Row(name=cell.id, cell=cell.id, marks=tuple(_mark(cell, name) for name in columns)) for cell in run.cells
    )
    if not first and not any(cell.checks for cell in run.cells):
        return Grid(title="", first="", columns=(), rows=())
    return Grid(title="Cells", first="cell or image", columns=columns, rows=rows)


def _mark(cell: Cell, column: str) -> Mark:
    here = anchor(cell.id)
    if column == "plan":
        build = cell.decision is not None and cell.decision.action == "build"
        why = "; ".join(cell.decision.reasons) if cell.decision else ""
        return Mark(state="info", text="build" if build else "keep", anchor=here, title=why)
    if column == "build":
        if cell.build is None:
            return Mark(state="info", text="not now", anchor=here, title="not part of the last build here")
        words: dict[str, tuple[State, str]] = {
            "built": ("ok", "built"),
            "up-to-date": ("ok", "kept"),
            "failed": ("failed", "failed"),
            "cancelled": ("missing", "not built"),
        }
        state, text = words[cell.build.status]
        return Mark(state=state, text=text, anchor=here, title="; ".join(cell.build.reasons))
    result = cell.checks
    counts: Mapping[Status, int] = result.tier(column) if result else {}  # type: ignore[arg-type]
    if not result or not counts:
        why = result.reason if result and result.reason else "not tested"
        return Mark(state="missing", text="not run", anchor=here, title=why)
    ordered = [status for status in STATES if counts.get(status)]
    said = ", ".join(f"{counts[status]} {WORDS.get(status, status)}" for status in ordered)
    worst = ordered[0]
    missing_gpu = column == "gpu" and result.unproven_archs and worst not in ("failed", "not-run")
    state = "missing" if missing_gpu else STATES[worst]
    if worst == "waived" and counts.get("passed"):
        state = "ok"
    passed = str(counts.get("passed", 0))
    bad = f"{counts[worst]} {WORDS.get(worst, worst)}"
    text = passed if worst == "passed" else f"{passed}, {bad}" if worst == "waived" else bad
    return Mark(state=state, text=text, anchor=f"{here}.{column}", title=said)


def _names_grid(cells: Sequence[Cell]) -> Grid:
    names = [(cell, name) for cell in cells for name in cell.names]
    known = list(dict.fromkeys(tier for _, name in names for tier in name.states))
    columns = ("digest", *sorted(known, key=lambda tier: (tier not in TIERS, known.index(tier))))
    rows = tuple(
        Row(name=f"{name.name or cell.id} ({name.kind})", cell=cell.id, marks=tuple(_name_marks(cell, name, columns)))
        for cell, name in names
    )
    return Grid(title="Names", first="name", columns=columns, rows=rows)


def _name_marks(cell: Cell, name: Name, columns: Sequence[str]) -> list[Mark]:
    here = anchor(cell.id)
    if not name.digest:
        state: State = "failed" if name.kind == "unfinished" else "info" if name.kind == "candidate" else "missing"
        word = {"unfinished": "unfinished", "candidate": "none"}.get(name.kind, "not there")
        return [
            Mark(state=state, text=word, anchor=here),
            *(Mark(state="info", text="", anchor=here) for _ in columns[1:]),
        ]
    marks = [Mark(state="info", text=name.digest.removeprefix("sha256:")[:8], anchor=here, title=name.digest)]
    said = {proof.partition(":")[0]: proof for proof in name.proofs}
    for tier in columns[1:]:
        state_word = name.states.get(tier, "")
        state = _PROOF.get(state_word, "info")
        marks.append(Mark(state=state, text=state_word or "not asked", anchor=here, title=said.get(tier, "")))
    return marks
