"""What all pictures are made of, as specifications of Vega-Lite: rows, words, bars and axes.

Each picture is drawn 340 units wide and fits any screen. Colours are variables of the page's style sheet, so one
drawing serves dark, light and paper. Names stand above their bars: there is no room beside them on a phone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

Spec = dict[str, Any]

WIDTH: Final = 340
ROW: Final = 37
_LINE: Final = 47
"""So many letters stand side by side over a picture's width, with room between name and value."""
_SHORT: Final = 10
"""With longer words a legend has three columns."""
_TICKS: Final = 5
_UNITS: Final = ((3 * 3600, 3600, "hours"), (180, 60, "minutes"), (0, 1, "seconds"))


def spec(height: int, layers: list[Spec], **more: Any) -> Spec:
    font = "system-ui, -apple-system, Segoe UI, Roboto, sans-serif"
    axis = {
        "domain": False,
        "ticks": False,
        "labelColor": "var(--soft)",
        "titleColor": "var(--soft)",
        "gridColor": "var(--line)",
        "titleFontWeight": "normal",
        "labelFontSize": 12,
        "titleFontSize": 12,
        "titlePadding": 6,
        "labelPadding": 4,
        "labelFlush": True,
    }
    legend = {
        "orient": "top",
        "title": None,
        "labelColor": "var(--ink)",
        "labelFontSize": 12,
        "symbolType": "square",
        "symbolSize": 120,
        "symbolStrokeWidth": 0,
        "offset": 10,
        "columnPadding": 20,
        "rowPadding": 4,
    }
    return {
        "$schema": "https://vega.github.io/schema/vega-lite/v6.json",
        "background": None,
        "width": WIDTH,
        "height": max(height, 1),
        "padding": 2,
        "autosize": {"type": "pad", "contains": "padding"},
        "layer": layers,
        "config": {"font": font, "view": {"stroke": None}, "axis": axis, "legend": legend},
        **more,
    }


def rows(count: int) -> Spec:
    """The axis of the rows: their number, without a label, which :func:`words` writes."""
    scale = {"domain": list(range(count)), "paddingInner": 0, "paddingOuter": 0}
    return {"field": "row", "type": "nominal", "axis": None, "scale": scale, "sort": None}


def words(lines: Sequence[tuple[str, str, str]]) -> list[Spec]:
    """Above each bar: a name to the left and a value to the right, in one of the colours of the page."""
    values = [
        {"row": row, "name": cut(left, _LINE - len(right)), "value": right, "ink": ink}
        for row, (left, right, ink) in enumerate(lines)
    ]
    text = {"type": "text", "baseline": "middle", "fontSize": 12.5, "yOffset": -9, "aria": False}
    y = rows(len(lines))
    name = {"y": y, "x": {"value": 0}, "text": {"field": "name"}, "color": {"value": "var(--ink)"}}
    colour = {"field": "ink", "type": "nominal", "scale": None}
    value = {"y": y, "x": {"value": WIDTH}, "text": {"field": "value"}, "color": colour}
    return [
        {"data": {"values": values}, "mark": {**text, "align": "left"}, "encoding": name},
        {"data": {"values": values}, "mark": {**text, "align": "right"}, "encoding": value},
    ]


def cut(text: str, length: int) -> str:
    """``text`` in so many letters. The library could cut by its width, and takes half a second a picture for it."""
    return text if len(text) <= length else f"{text[: max(length - 1, 8)]}…"


def bars(
    values: Sequence[Spec],
    count: int,
    fills: Mapping[str, str],
    axis: Spec,
    domain: tuple[float, float],
    *,
    least: int = 1,
) -> Spec:
    """Bars from ``start`` to ``end`` in the colour of their ``kind``; ``says`` is read aloud and shown on hover.

    There is a legend where more than ``least`` kinds are drawn.
    """
    used = [kind for kind in fills if any(value["kind"] == kind for value in values)]
    return {
        "data": {"values": list(values)},
        "mark": {"type": "bar", "height": 12, "yOffset": 6, "stroke": "var(--card)", "strokeWidth": 0.5},
        "encoding": {
            "y": rows(count),
            "x": {
                "field": "start",
                "type": "quantitative",
                "scale": {"domain": list(domain), "nice": False},
                "axis": axis,
            },
            "x2": {"field": "end"},
            "color": {
                "field": "kind",
                "type": "nominal",
                "scale": {"domain": used, "range": [fills[kind] for kind in used]},
                "legend": {"columns": 4 if all(len(kind) < _SHORT for kind in used) else 3}
                if len(used) > least
                else None,
            },
            "description": {"field": "says", "type": "nominal"},
        },
    }


def time_axis(seconds: float) -> tuple[float, Spec]:
    _, divisor, unit = next(one for one in _UNITS if seconds >= one[0])
    return divisor, {"title": unit, "tickCount": 4, "labelExpr": "format(datum.value, '.3~r')"}


def size_axis(longest: float) -> Spec:
    unit, power = next(((u, p) for u, p in (("GiB", 3), ("MiB", 2), ("KiB", 1)) if longest >= 1024**p), ("bytes", 0))
    step = next(s for s in (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000) if longest / 1024**power / s <= _TICKS)
    ticks = [n * step * 1024**power for n in range(6) if n * step * 1024**power <= longest]
    return {"title": unit, "values": ticks, "labelExpr": f"format(datum.value / {1024**power}, '.4~r')"}
