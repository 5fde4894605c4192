"""The stages of a Dockerfile as an arc diagram: rows in their order, which a phone has room for."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

from rocmimg.report.page.marks import WIDTH, Spec, cut, spec
from rocmimg.report.page.model import Stage

_POINTS: Final = 24
_CALM: Final = 8
"""Rows that the longest arc spans at least, so that a graph of three stages has no arcs as wide as one of twenty."""


def graph(stages: Sequence[Stage], rebuilt: bool) -> Spec:
    """Stages as rows in the order of the Dockerfile; an arc leads from a stage to one that uses it."""
    row = {stage.name: index for index, stage in enumerate(stages)}
    edges = [(row[used], index) for index, stage in enumerate(stages) for used in essential(stages, stage)]
    room, gap = 84, 24
    longest = max((end - start for start, end in edges), default=1)
    longest = max(longest, _CALM)
    points = []
    for number, (start, end) in enumerate(edges):
        width = room * ((end - start) / longest) ** 0.75
        for step in range(_POINTS + 1):
            turn = math.pi * step / _POINTS
            points.append(
                {
                    "edge": number,
                    "order": step,
                    "x": room - width * math.sin(turn),
                    "y": (start + end) / 2 - math.cos(turn) * (end - start) / 2,
                    "ink": "var(--bar)" if stages[start].why else "var(--arc)",
                }
            )
    nodes = [
        {
            "x": room,
            "y": index,
            "name": cut(stage.name, 26),
            "fill": "var(--bar)" if stage.why or not rebuilt else "var(--card)",
            "word": ("rebuilt" if stage.why else "kept") if rebuilt else "",
            "says": f"{stage.name}: "
            + (f"rebuilt, {stage.why}" if stage.why else f"uses {', '.join(stage.uses) or 'the base image'}"),
        }
        for index, stage in enumerate(stages)
    ]
    x = {"field": "x", "type": "quantitative", "axis": None, "scale": {"domain": [0, WIDTH], "nice": False}}
    y = {
        "field": "y",
        "type": "quantitative",
        "axis": None,
        "scale": {"domain": [len(stages) - 0.4, -0.6], "nice": False},
    }
    arcs = {
        "data": {"values": points},
        "mark": {"type": "line", "strokeWidth": 1.5, "aria": False},
        "encoding": {
            "x": x,
            "y": y,
            "detail": {"field": "edge"},
            "order": {"field": "order"},
            "color": {"field": "ink", "type": "nominal", "scale": None},
        },
    }
    dots = {
        "data": {"values": nodes},
        "mark": {"type": "circle", "size": 70, "opacity": 1, "stroke": "var(--bar)", "strokeWidth": 1.5},
        "encoding": {
            "x": x,
            "y": y,
            "fill": {"field": "fill", "type": "nominal", "scale": None},
            "description": {"field": "says", "type": "nominal"},
        },
    }
    words = {
        "data": {"values": nodes},
        "mark": {"type": "text", "align": "left", "dx": 12, "fontSize": 12.5, "aria": False},
        "encoding": {"x": x, "y": y, "text": {"field": "name"}, "color": {"value": "var(--ink)"}},
    }
    state = {
        "data": {"values": nodes},
        "mark": {"type": "text", "align": "right", "fontSize": 12.5, "aria": False},
        "encoding": {"x": {"value": WIDTH}, "y": y, "text": {"field": "word"}, "color": {"value": "var(--soft)"}},
    }
    return spec(gap * len(stages), [arcs, dots, words, *([state] if rebuilt else [])])


def essential(stages: Sequence[Stage], stage: Stage) -> list[str]:
    """What a stage uses, without what follows from the rest: what those use already."""
    uses = {one.name: [name for name in one.uses if name != one.name] for one in stages}

    def below(name: str, seen: set[str]) -> set[str]:
        for used in uses.get(name, ()):
            if used not in seen:
                seen.add(used)
                below(used, seen)
        return seen

    mine = [name for name in dict.fromkeys(stage.uses) if name in uses and name != stage.name]
    implied = {name for one in mine for name in below(one, set())}
    return [name for name in mine if name not in implied]
