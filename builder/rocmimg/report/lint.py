"""Findings of the linter as text, JSON, SARIF, GitHub annotations and Markdown."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from rocmimg.errors import Position
from rocmimg.lint.model import Evidence, Finding, Level, Rule
from rocmimg.lint.rules import all_rules
from rocmimg.lint.runner import Report
from rocmimg.problem import Problem
from rocmimg.report.markdown import short_table
from rocmimg.report.sarif import SarifResult, SarifRule, sarif
from rocmimg.terminal import harmless, json_text

_SHOWN: Final = 240
"""So many characters of a line are shown."""


def render(report: Report, form: str) -> str:
    """The report in one of the forms text, json, sarif, github, markdown."""
    match form:
        case "json":
            return as_json(report)
        case "sarif":
            return as_sarif(report)
        case "github":
            return "\n".join(github(report))
        case "markdown":
            return markdown(report)
        case _:
            return "\n".join(text(report))


def message(finding: Finding) -> str:
    """What is wrong, with the further lines."""
    lines = f" (also line {', '.join(map(str, finding.also))})" if finding.also else ""
    return finding.message + lines


def _around(line: str, start: int, end: int) -> tuple[str, int, int]:
    """As much of a line as a terminal bears, and where the place is in that."""
    if len(line) <= _SHOWN:
        return line, start, end
    first = max(0, min(start - _SHOWN // 4, len(line) - _SHOWN))
    head, tail = "..." if first else "", "..." if first + _SHOWN < len(line) else ""
    end = min(end, first + _SHOWN)
    return head + line[first : first + _SHOWN] + tail, start - first + len(head), end - first + len(head)


def text(report: Report) -> Iterator[str]:
    """Lines for a reader: place, message, the source line with a caret, the fix."""
    sources = report.sources
    for finding in report.findings:
        klass = "" if finding.failure_class == "-" else f" {finding.failure_class}"
        place = f"{harmless(finding.file)}:{finding.line}:{finding.column}"
        yield f"{place}: {finding.level}: {harmless(message(finding))} [{finding.rule}{klass}]"
        line = sources[finding.file].line_text(finding.line)
        start = finding.column - 1
        end = finding.end_column - 1 if finding.end_line == finding.line else len(line)
        line, start, end = _around(line, start, max(end, start))
        before, marked = harmless(line[:start]), harmless(line[start:end])
        pad = "".join("\t" if char == "\t" else " " for char in before)
        number = f"{finding.line:5}"
        yield f"{number} | {harmless(line)}"
        yield f"{' ' * len(number)} | {pad}^{'~' * (len(marked) - 1)}"
        if finding.evidence not in {Evidence.TEXT, Evidence.TOOL}:
            yield f"{' ' * len(number)} = rests on {finding.evidence}"
        if finding.fix:
            yield f"{' ' * len(number)} = {finding.fix}"
    yield summary(report)


def summary(report: Report) -> str:
    """One line with the numbers."""
    counts = {level: sum(finding.level is level for finding in report.findings) for level in Level}
    parts = [f"{count} {level}{'' if count == 1 else 's'}" for level, count in counts.items()]
    files = len(report.files)
    waived = f", {len(report.waived)} waived" if report.waived else ""
    return f"{files} file{'' if files == 1 else 's'}: {', '.join(parts)}{waived}"


def _record(finding: Finding) -> dict[str, Any]:
    record: dict[str, Any] = {
        "rule": finding.rule,
        "class": finding.failure_class,
        "file": finding.file,
        "line": finding.line,
        "column": finding.column,
        "end_line": finding.end_line,
        "end_column": finding.end_column,
        "level": str(finding.level),
        "message": finding.message,
        "evidence": str(finding.evidence),
        "also": list(finding.also),
        "fix": finding.fix,
        "fixable": bool(finding.edits),
    }
    if finding.waived:
        record["waived"] = finding.waived
    return record


def as_json(report: Report) -> str:
    """The report for a program."""
    return json_text(
        {
            "findings": [_record(finding) for finding in report.findings],
            "waived": [_record(finding) for finding in report.waived],
            "files": len(report.files),
        }
    )


def as_sarif(report: Report) -> str:
    """The report for a code host; waived findings are in it as suppressed."""
    own = [
        SarifRule(id=rule.id, summary=rule.title, help=f"{rule.why} {rule.fix}", level=rule.level.value)
        for rule in all_rules().values()
    ]
    foreign = dict.fromkeys(f.rule for f in report.findings if f.rule not in all_rules())
    rules = [*own, *(SarifRule(id=code, summary=f"hadolint or shellcheck {code}") for code in foreign)]
    results = [
        SarifResult(
            rule=finding.rule,
            level=finding.level.value,
            message=message(finding),
            file=finding.file,
            line=finding.line,
            column=finding.column,
            end_line=finding.end_line,
            end_column=finding.end_column,
            suppressed=finding.waived,
        )
        for finding in (*report.findings, *report.waived)
    ]
    return json_text(sarif("rocmimg lint", rules, results))


def github(report: Report) -> Iterator[str]:
    """Workflow commands that GitHub shows at the lines of a pull request."""
    for finding in report.findings:
        fields = {
            "file": finding.file,
            "line": finding.line,
            "endLine": finding.end_line,
            "col": finding.column,
            "endColumn": finding.end_column,
            "title": finding.rule,
        }
        yield annotation(
            finding.level, fields, f"{message(finding)}. {finding.fix}" if finding.fix else message(finding)
        )


def markdown(report: Report) -> str:
    """A summary for a pull request: errors first."""
    order = list(Level)
    rows = [
        (
            f"{one.file}:{one.line}",
            str(one.level),
            f"{one.rule} {one.failure_class}".removesuffix(" -"),
            message(one),
            one.fix,
        )
        for one in sorted(report.findings, key=lambda one: order.index(one.level))
    ]
    head = f"{'Errors' if report.failed else 'No errors'}: {summary(report)}\n"
    return f"{head}\n{short_table(('where', 'level', 'rule', 'what', 'fix'), rows)}" if rows else head


def problems_of(report: Report, origins: Mapping[str, Callable[[int], Position]]) -> Iterator[Problem]:
    """Findings about rendered Dockerfiles, named by their cells, at the lines of images.yaml that they come from."""
    for finding in report.findings:
        if origin := origins.get(finding.file):
            yield Problem(
                level=finding.level.value,
                rule=finding.rule,
                message=finding.message,
                position=origin(finding.line),
                cells=(finding.file,),
                fix=finding.fix,
            )


def problems_in(report: Report, cell: str) -> Iterator[Problem]:
    """Findings about a Dockerfile of the project's own, and about its scripts, in those files."""
    for finding in report.findings:
        yield Problem(
            level=finding.level.value,
            rule=finding.rule,
            message=finding.message,
            position=Position(finding.file, finding.line, finding.column),
            cells=(cell,),
            fix=finding.fix,
        )


def annotation(level: str, fields: Mapping[str, object], said: str) -> str:
    """One workflow command."""
    properties = ",".join(f"{key}={_escape(str(value), ':,')}" for key, value in fields.items())
    return f"::{'notice' if level == 'note' else level} {harmless(properties)}::{harmless(_escape(said))}"


def _escape(value: str, more: str = "") -> str:
    for char in "%\r\n" + more:
        value = value.replace(char, f"%{ord(char):02X}")
    return value


def explain(rule: Rule) -> Iterator[str]:
    """Everything about one rule."""
    klass = "" if rule.failure_class == "-" else f", failure class {rule.failure_class}"
    yield f"{rule.id}: {rule.title} ({rule.level}{klass})"
    yield ""
    yield f"Why:  {rule.why}"
    yield f"Fix:  {rule.fix}"
    yield f"Seen: {rule.case}"
    for title, example in (("Fires", rule.bad), ("Silent", rule.good)):
        yield ""
        yield f"{title}:"
        yield from (f"    {line}" for line in example.splitlines())


def listing(rules: list[Rule]) -> Iterator[str]:
    """One line a rule."""
    for rule in rules:
        yield f"{rule.id}  {rule.failure_class:4} {rule.level:8} {rule.title}"
