"""The contract's names asked of built images, and held against what the pins say."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

from rocmimg.checks.order import Names
from rocmimg.errors import SourceError
from rocmimg.preflight.contracts import Probe, pairs_of, probes_of

if TYPE_CHECKING:
    from rocmimg.contract.check import Checker
    from rocmimg.engine.client import Engine
    from rocmimg.matrix import Cell, Matrix

_LIMIT_S: Final = 600
"""AITER's first import compiles a module."""


def names_of(cells: Iterable[Cell], matrix: Matrix) -> dict[str, tuple[Names, ...] | str]:
    """For each cell with a framework what to ask its image, or why that could not be read from the pins."""
    from rocmimg.contract.check import Checker

    found: dict[str, tuple[Names, ...] | str] = {}
    chosen = [cell for cell in cells if any(pairs_of(cell, matrix, {}))]
    if not chosen:
        return {}
    with Checker() as checker:
        for cell in chosen:
            try:
                found[cell.id] = tuple(
                    Names(package=probe.pair.package, wanted=dict(probe.wanted), expected=dict(probe.expected))
                    for probe in probes_of(checker, cell, matrix)
                )
            except SourceError as error:
                found[cell.id] = str(error)
    return found


def ask_images(
    engine: Engine, checker: Checker, cells: Iterable[Cell], matrix: Matrix
) -> tuple[list[str], list[str], int]:
    """(names about which an image and its pins disagree, what was not run and why, names that agree)."""
    differ: list[str] = []
    not_run: list[str] = []
    agreed = 0
    for cell in cells:
        try:
            probes = list(probes_of(checker, cell, matrix))
        except SourceError as error:
            not_run.append(f"not run: {cell.id}: {error}")
            continue
        if probes and (not cell.tags or engine.image(cell.tags[0]) is None):
            not_run.append(f"not run: {cell.id}: its image is not built")
            continue
        for probe in probes:
            wrong, untold, same = _ask(engine, cell, probe)
            differ += wrong
            not_run += untold
            agreed += same
    return differ, not_run, agreed


def _ask(engine: Engine, cell: Cell, probe: Probe) -> tuple[list[str], list[str], int]:
    from rocmimg.contract.probe import PROGRAM, compare, not_told, read_answers
    from rocmimg.engine import ContainerSpec

    where = f"{cell.id}: {probe.pair.package}"
    with engine.run(ContainerSpec(image=cell.tags[0])) as container:
        question = json.dumps(probe.wanted).encode()
        done = container.exec([cell.config.python, "-c", PROGRAM], timeout=_LIMIT_S, stdin=question)
    try:
        answers = read_answers(done.stdout)
    except ValueError:
        why = "it ran too long" if done.timed_out else done.stderr.decode(errors="replace").strip()[-300:]
        return [], [f"not run: {where}: the probe gave no answer: {why}"], 0
    differ = [f"{where}: {difference}" for difference in compare(probe.expected, answers)]
    reasons: dict[str, int] = {}
    for reason in not_told(answers).values():
        reasons[reason] = reasons.get(reason, 0) + 1
    untold = [f"not run: {where}: {count} names: {reason}" for reason, count in reasons.items()]
    return differ, untold, len(answers) - len(differ) - sum(reasons.values())
