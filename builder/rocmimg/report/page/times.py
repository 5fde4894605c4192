"""Pictures over time: the steps of a build, the cells of a run, what a name pointed to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final

from rocmimg.report.page.marks import ROW, Spec, bars, spec, time_axis, words
from rocmimg.report.page.model import Build, Move, Step
from rocmimg.report.page.words import duration

_STEP_FILL: Final = {
    "done": "var(--bar)",
    "cached": "url(#hatch)",
    "failed": "var(--failed)",
    "cancelled": "url(#hatch-missing)",
}
_CELL_FILL: Final = {"built": "var(--bar)", "failed": "var(--failed)", "cancelled": "url(#hatch-missing)"}
_MOVE_FILL: Final = {"promoted": "var(--bar)", "without a proof": "url(#hatch-missing)", "rolled back": "url(#hatch)"}


def timeline(steps: Sequence[Step]) -> Spec:
    """Stages as rows, their steps as bars over time."""
    stages: dict[str, list[Step]] = {}
    for step in steps:
        stages.setdefault(step.stage, []).append(step)
    whole = max((step.start + step.seconds for step in steps), default=0.0) or 1.0
    divisor, axis = time_axis(whole)
    names, values = [], []
    for row, (name, mine) in enumerate(stages.items()):
        cached = sum(step.state == "cached" for step in mine)
        bad = next((step.state for step in mine if step.state in ("failed", "cancelled")), "")
        took = duration(sum(step.seconds for step in mine if step.state != "cached"))
        value = bad or (
            "cached" if cached == len(mine) else f"{took}, {cached} of {len(mine)} cached" if cached else took
        )
        ink = "var(--failed)" if bad == "failed" else "var(--missing)" if bad else "var(--soft)"
        names.append((name or "engine: context, export", value, ink))
        # What the engine had takes no time: it gets a width that can be seen.
        for step in mine:
            least = 0.025 if step.state == "cached" else 0.006
            start = min(step.start, whole * (1 - least))
            values.append(
                {
                    "row": row,
                    "start": start / divisor,
                    "end": max(step.start + step.seconds, start + whole * least) / divisor,
                    "kind": step.state,
                    "says": f"{name or 'engine'}: {step.text[:160]}: {step.state}, {duration(step.seconds)}",
                }
            )
    drawn = bars(values, len(stages), _STEP_FILL, axis, (0, whole / divisor))
    return spec(ROW * len(stages), [drawn, *words(names)])


def overview(builds: Mapping[str, Build]) -> Spec:
    """Cells as rows over the time of the run."""
    ran = {name: build for name, build in builds.items() if build.began}
    zero = min((build.began for build in ran.values()), default=0.0)
    whole = max((build.began - zero + build.seconds for build in ran.values()), default=0.0) or 1.0
    divisor, axis = time_axis(whole)
    names, values = [], []
    for row, (name, build) in enumerate(builds.items()):
        ink = {"failed": "var(--failed)", "cancelled": "var(--missing)"}.get(build.status, "var(--soft)")
        took = duration(build.seconds)
        state = {"built": took, "up-to-date": "up to date", "failed": f"failed after {took}", "cancelled": "not built"}
        names.append((name, state[build.status], ink))
        if build.began and build.status in _CELL_FILL:
            start = build.began - zero
            end = max(start + build.seconds, start + whole * 0.006)
            said = f"{name}: {build.status}, {took}"
            values.append(
                {"row": row, "start": start / divisor, "end": end / divisor, "kind": build.status, "says": said}
            )
    return spec(ROW * len(builds), [bars(values, len(builds), _CELL_FILL, axis, (0, whole / divisor)), *words(names)])


def history(moves: Sequence[Move], until: str) -> Spec:
    """What a name pointed to, as rows, newest first, and from when until when."""
    ends = [*(move.when for move in moves[1:]), until]
    digests = list(dict.fromkeys(move.digest for move in reversed(moves)))
    first, last = _seconds(moves[0].when), max(_seconds(until), _seconds(moves[0].when) + 1)
    values = []
    for move, end in zip(moves, ends, strict=True):
        kind = "without a proof" if move.overridden else "rolled back" if move.kind == "rollback" else "promoted"
        start = _seconds(move.when)
        values.append(
            {
                "row": digests.index(move.digest),
                "start": start * 1000,
                "end": max(_seconds(end), start + (last - first) * 0.01) * 1000,
                "kind": kind,
                "says": f"{move.version or move.digest[7:19]}: {kind}, {move.when[:16]} to {end[:16]}, by {move.who}",
            }
        )
    versions = {move.digest: move.version for move in moves if move.version}
    since = {move.digest: move.when[:10] for move in moves}
    names = [
        (
            f"{versions.get(digest, 'unknown version')}  {digest.removeprefix('sha256:')[:12]}",
            since[digest],
            "var(--soft)",
        )
        for digest in digests
    ]
    drawn = bars(values, len(digests), _MOVE_FILL, {"title": None, "tickCount": 3, "labelOverlap": True}, (0, 1))
    drawn["encoding"]["x"] |= {
        "type": "temporal",
        "scale": {"type": "utc", "domain": [first * 1000, last * 1000], "nice": False},
    }
    return spec(ROW * len(digests), [drawn, *words(names)])


def _seconds(when: str) -> float:
    return datetime.fromisoformat(when).timestamp()
