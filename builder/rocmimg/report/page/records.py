"""From what other rooms know to the records of a page."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, Final

from rocmimg.plan import ImagePlan
from rocmimg.report.page.model import Build, Layer, Pin, Stage, Step


def stages_of(image: ImagePlan, rebuilt: Mapping[str, str] | None = None) -> tuple[Stage, ...]:
    """The stages of a plan; ``rebuilt`` says which of them a change rebuilds, and why."""
    why = rebuilt or {}
    return tuple(Stage(name=one.name, uses=tuple(one.uses), why=why.get(one.name, "")) for one in image.stages)


def pins_of(image: ImagePlan) -> tuple[Pin, ...]:
    """What its components are built from."""
    return tuple(
        Pin(name=one.name, ref=one.ref, commit=one.commit, source=one.repo or one.source.replace("none", ""))
        for one in image.expected.components
    )


def layers_of(history: Iterable[tuple[str, int]], base: int) -> tuple[Layer, ...]:
    """Layers from an image's history, oldest first, of which the first ``base`` entries came with its base."""
    return tuple(
        Layer(text=_instruction(text), size=size, base=number < base) for number, (text, size) in enumerate(history)
    )


_SHELL: Final = re.compile(
    r"^(?:RUN )?(?:\|\d+ (?:\w+=\S* )+)?/bin/(?:ba|da)?sh (?:-[a-z]+ (?:pipefail )?)*(#\(nop\) +)?"
)


def _instruction(text: str) -> str:
    """An instruction as it was written, as far as the engine remembers it."""
    words = " ".join(text.replace("# buildkit", "").split())
    words = _SHELL.sub(lambda found: "" if found[1] else "RUN ", words)
    return words or "a layer without a name"


def build_of(record: Mapping[str, Any]) -> Build:
    """One object of build/report.json."""
    began = _moment(record.get("started"))
    told = record.get("steps")
    steps = tuple(
        Step(
            stage=str(step["stage"]),
            text=str(step["command"]),
            state=step["status"],
            start=max(0.0, _moment(step["started"]) - began),
            seconds=float(step["seconds"]),
        )
        for step in (told if isinstance(told, list) else ())  # a number in reports of earlier versions
    )
    error = record.get("error") or {}
    return Build(
        status=record["status"],
        image_id=record.get("image_id") or "",
        size=record.get("size") or 0,
        began=began,
        seconds=float(record["seconds"]),
        reasons=tuple(record.get("reasons", ())),
        steps=steps,
        error=str(error.get("message", "")),
        failed_step=record.get("failed_step", ""),
        last_lines=tuple(record.get("last_lines", ())),
        log=record.get("log") or "",
    )


def _moment(text: str | None) -> float:
    return datetime.fromisoformat(text).timestamp() if text else 0.0
