"""A section for each cell: facts, logs, pictures, checks by tier, tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from rocmimg.checks.model import TIERS, ImageResult
from rocmimg.report.page.model import Cell, Move, Run, State
from rocmimg.report.page.pictures import Picture, pictures_of_cell
from rocmimg.report.page.places import STATES, WORDS, anchor, link, short_reference
from rocmimg.report.page.verdict import cell_verdict
from rocmimg.report.page.words import human

_OPEN: Final = 3
"""Up to so many cells are shown unfolded."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One check of a cell."""

    state: State
    title: str
    classes: tuple[str, ...]
    said: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TierView:
    """The checks of a tier."""

    name: str
    said: str
    open: bool
    checks: tuple[Line, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """Rows under a header."""

    caption: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """One cell."""

    id: str
    state: State
    word: str
    open: bool
    facts: tuple[tuple[str, str], ...]
    logs: tuple[tuple[str, str], ...]
    notes: tuple[str, ...]
    pictures: tuple[Picture, ...]
    tiers: tuple[TierView, ...]
    tables: tuple[Table, ...]


def sections(run: Run, page: Path, scale: Mapping[str, int], fills: Mapping[str, str], *, drawn: bool) -> list[Section]:
    """A section for each cell; ``drawn`` says whether there is what draws pictures."""
    few = len(run.cells) <= _OPEN
    return [
        _section(cell, few, page, pictures_of_cell(run, cell, anchor(cell.id), scale, fills) if drawn else ())
        for cell in run.cells
    ]


def _section(cell: Cell, few: bool, page: Path, pictures: Sequence[Picture]) -> Section:
    said = cell_verdict(cell)
    result, build = cell.checks, cell.build
    logs = [("build log", build.log if build else ""), ("check log", result.log if result else "")]
    return Section(
        id=cell.id,
        state=said.state,
        word=said.text,
        open=few or said.state == "failed",
        facts=_facts(cell),
        logs=tuple((name, link(path, page)) for name, path in logs if path),
        notes=(*(result.notes if result else ()), *((result.reason,) if result and not result.checks else ())),
        pictures=tuple(pictures),
        tiers=tuple(_tiers(result, few)) if result else (),
        tables=tuple(_tables(cell)),
    )


def _facts(cell: Cell) -> tuple[tuple[str, str], ...]:
    result, build, plan = cell.checks, cell.build, cell.decision
    size = build.size if build and build.size else sum(layer.size for layer in cell.layers)
    gpus = result.gpu_archs if result else {}
    return (
        ("why", "; ".join(plan.reasons) if plan else "; ".join(build.reasons) if build else ""),
        ("for", ", ".join(result.archs if result else cell.archs)),
        ("base", short_reference(cell.base)),
        ("image", result.image if result else ""),
        ("id", ((result.image_id if result else "") or (build.image_id if build else "")).removeprefix("sha256:")[:12]),
        ("size", human(size) if size else ""),
        ("plan", result.digest.removeprefix("sha256:")[:12] if result else ""),
        (
            "checked",
            f"{result.started[:16].replace('T', ' ')}, {result.seconds:.0f} s" if result and result.checks else "",
        ),
        ("GPU", result.device if result else ""),
        ("GPU proof", ", ".join(f"{arch}: {device or 'none'}" for arch, device in gpus.items())),
    )


def _tiers(result: ImageResult, few: bool) -> list[TierView]:
    found = []
    for tier in TIERS:
        mine = [check for check in result.checks if check.tier == tier]
        if not mine:
            continue
        counts = result.tier(tier)
        said = ", ".join(f"{counts[s]} {WORDS.get(s, s)}" for s in STATES if counts.get(s))
        order = list(STATES)
        lines = [
            Line(
                state=STATES[check.status],
                title=check.title or check.id,
                classes=check.classes,
                said="; ".join(
                    filter(None, (check.id if check.title else "", check.reason, *(n.what for n in check.notes)))
                ),
            )
            for check in sorted(mine, key=lambda check: order.index(check.status))
        ]
        found.append(TierView(name=tier, said=said, open=few and bool(counts["failed"]), checks=tuple(lines)))
    return found


def _tables(cell: Cell) -> list[Table]:
    found = []
    if cell.released and cell.candidate:
        before, after = cell.released.pins, cell.candidate.pins
        same = {name: before.get(name) == after.get(name) for name in {*before, *after}}
        found.append(
            Table(
                caption="Pins against the last release",
                header=("pin", cell.released.label, cell.candidate.label, ""),
                rows=tuple(
                    (name, before.get(name, "none"), after.get(name, "none"), "same" if same[name] else "changed")
                    for name in sorted(same, key=lambda name: (same[name], name))
                ),
            )
        )
    elif cell.pins:
        pins = tuple((pin.name, pin.ref, pin.commit[:12], pin.source) for pin in cell.pins)
        found.append(Table(caption="Pins", header=("component", "ref", "commit", "source"), rows=pins))
    moves = tuple(_move(name.name, move) for name in cell.names for move in reversed(name.history))
    if moves:
        header = ("name", "when", "pointed to", "by", "who", "proven by")
        found.append(Table(caption="History", header=header, rows=moves))
    proofs = tuple((name.name or name.kind, proof) for name in cell.names for proof in name.proofs)
    if proofs:
        found.append(Table(caption="Proofs", header=("name", "proof"), rows=proofs))
    rebuilt = tuple((stage.name, stage.why) for stage in cell.stages if stage.why)
    if rebuilt:
        found.append(Table(caption="Stages that are rebuilt", header=("stage", "because"), rows=rebuilt))
    return found


def _move(name: str, move: Move) -> tuple[str, ...]:
    what = f"{move.version} {move.digest.removeprefix('sha256:')[:12]}".strip()
    return (name, move.when[:16].replace("T", " "), what, move.kind, move.who, "; ".join(move.proofs))
