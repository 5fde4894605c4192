"""What ``rocmimg check`` found, by line of images.yaml: as text, SARIF, annotations and Markdown."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from rocmimg.errors import Position
from rocmimg.problem import Problem
from rocmimg.report.lint import annotation
from rocmimg.report.markdown import short_table
from rocmimg.report.sarif import SarifResult, SarifRule, sarif
from rocmimg.terminal import harmless, json_text

_SHOWN: Final = 4
_LEVELS: Final = ("error", "warning", "note")


def render(problems: Sequence[Problem], form: str) -> str:
    """The problems in one of the forms text, sarif, github, markdown."""
    match form:
        case "sarif":
            return json_text(_sarif(problems))
        case "github":
            return "\n".join(map(_annotation, problems))
        case "markdown":
            return _markdown(problems)
        case _:
            return "\n".join(_text(problems))


def summary(problems: Iterable[Problem]) -> str:
    """How many of each level."""
    counts = Counter(problem.level for problem in problems)
    return ", ".join(
        f"{counts[level]} {level}{'' if counts[level] == 1 else 's'}" for level in ("error", "warning", "note")
    )


def moved(refs: Iterable[str], matrix: str) -> Iterator[Problem]:
    """Refs that mean something else than the lock says."""
    for ref in refs:
        yield Problem(
            level="error",
            rule="moved-ref",
            message=ref,
            position=Position(matrix),
            cells=(),
            fix="`rocmimg lock` writes what it means now",
        )


def as_json(problems: Iterable[Problem]) -> list[dict[str, object]]:
    """Objects: level, rule, message, file, line, cells, fix."""
    return [
        {
            "level": one.level,
            "rule": one.rule,
            "message": one.message,
            "file": one.position.source,
            "line": one.position.line,
            "cells": list(one.cells),
            "fix": one.fix,
        }
        for one in problems
    ]


def _cells(problem: Problem) -> str:
    more = f" and {len(problem.cells) - _SHOWN} more" if len(problem.cells) > _SHOWN else ""
    return f"{', '.join(problem.cells[:_SHOWN])}{more}"


def _text(problems: Sequence[Problem]) -> Iterator[str]:
    for problem in problems:
        yield harmless(f"{problem.position}: {problem.level}: {problem.message} [{problem.rule}]")
        if problem.cells:
            yield f"      = {_cells(problem)}"
        if problem.fix:
            yield harmless(f"      = {problem.fix}")
    yield summary(problems)


def _annotation(problem: Problem) -> str:
    fields = {"file": problem.position.source, "line": problem.position.line or 1, "title": problem.rule}
    cells = f" ({_cells(problem)})" if problem.cells else ""
    return annotation(problem.level, fields, f"{'. '.join(filter(None, (problem.message, problem.fix)))}{cells}")


def _sarif(problems: Sequence[Problem]) -> dict[str, object]:
    rules = {problem.rule: SarifRule(id=problem.rule, summary=problem.rule, help=problem.fix) for problem in problems}
    results = [
        SarifResult(
            rule=problem.rule,
            level=problem.level,
            message=f"{problem.message} ({_cells(problem)})" if problem.cells else problem.message,
            file=problem.position.source,
            line=problem.position.line,
        )
        for problem in problems
    ]
    return sarif("rocmimg check", list(rules.values()), results)


def _markdown(problems: Sequence[Problem]) -> str:
    rows = [(str(p.position), p.level, p.rule, p.message, p.fix, _cells(p)) for p in problems]
    head = f"{summary(problems)}\n"
    return f"{head}\n{short_table(('where', 'level', 'rule', 'what', 'fix', 'cells'), rows)}" if rows else head
