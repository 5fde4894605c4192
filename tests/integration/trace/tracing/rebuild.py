"""Which steps of a build ran, from the engine's own events."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable

from rocmimg.engine import StepFinished

_STEP = re.compile(r"\[ *(?:(?P<stage>[A-Za-z][\w.-]*) +)?\d+/\d+\] (?:RUN|COPY|ADD|WORKDIR)\b")


def ran(steps: Iterable[StepFinished]) -> Counter[str]:
    """Stage -> how many of its steps ran; "" is the stage without a name."""
    return _count(step for step in steps if not step.cached)


def known(steps: Iterable[StepFinished]) -> Counter[str]:
    """Stage -> how many steps it has, those taken from the cache included."""
    return _count(steps)


def _count(steps: Iterable[StepFinished]) -> Counter[str]:
    found: Counter[str] = Counter()
    for step in steps:
        if match := _STEP.match(step.name):
            found[match["stage"] or ""] += 1
    return found
