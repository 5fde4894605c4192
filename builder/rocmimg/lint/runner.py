"""Runs the rules over files and gathers what they find."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Final

from rocmimg.errors import SourceError
from rocmimg.lint.context import LintFile
from rocmimg.lint.dockerfile import parse
from rocmimg.lint.model import Finding, Hit, Level, Rule
from rocmimg.lint.rules import all_rules
from rocmimg.lint.text import Source
from rocmimg.lint.waivers import Waiver, matching

_NAME: Final = re.compile(r"(.*\.)?(dockerfile|containerfile)([._-].*)?", re.IGNORECASE)
_SKIPPED: Final = frozenset({".git", ".venv", "venv", "node_modules", "__pycache__"})
_NOT_TEXT: Final = frozenset(
    {".dockerignore", ".md", ".py", ".sh", ".json", ".yaml", ".yml", ".j2", ".jinja"}
    | {".png", ".svg", ".jpg", ".txt", ".patch", ".orig", ".rej", ".bak"}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What was found in how many files; waived findings apart."""

    findings: tuple[Finding, ...]
    waived: tuple[Finding, ...]
    files: tuple[LintFile, ...]

    @property
    def sources(self) -> dict[str, Source]:
        """The text of the files by name."""
        return {file.source.name: file.source for file in self.files}

    @property
    def failed(self) -> bool:
        """There is an error."""
        return any(finding.level is Level.ERROR for finding in self.findings)


def find_files(paths: Sequence[Path]) -> list[Path]:
    """The Dockerfiles among and below some paths; a file that is named is taken whatever its name.

    Raises:
        SourceError: a path is not there, or a folder has no Dockerfile.
    """
    found: list[Path] = []
    for path in paths:
        if path.is_dir():
            below = sorted(p for p in path.rglob("*") if _is_dockerfile(p) and not _SKIPPED & set(p.parts))
            if not below:
                raise SourceError(f"{path}: no Dockerfile below this folder", next_step="name the files")
            found.extend(below)
        elif path.exists():
            found.append(path)
        else:
            raise SourceError(f"{path}: no such file")
    return list(dict.fromkeys(found))


def _is_dockerfile(path: Path) -> bool:
    return _NAME.fullmatch(path.name) is not None and path.suffix.lower() not in _NOT_TEXT and path.is_file()


def lint(
    contents: Mapping[str, bytes],
    *,
    arguments: Mapping[str, str],
    today: date,
    waivers: tuple[Waiver, ...] = (),
    rules: Iterable[Rule] | None = None,
    debug: bool = False,
) -> Report:
    """Lint files given as name and content.

    A rule that fails on a file is reported as a finding of that file, never as a traceback; with `debug` it raises.
    """
    chosen = tuple(all_rules().values() if rules is None else rules)
    files = [LintFile(parse(Source.read(name, data)), arguments, today=today) for name, data in contents.items()]
    _link_siblings(files)
    kept: list[Finding] = []
    waived: list[Finding] = []
    for file in files:
        applying = [*file.waivers, *matching(waivers, file.source.name)]
        used: set[int] = set()
        for finding in _findings(file, chosen, debug=debug):
            waiver = next((w for w in applying if w.covers(finding.rule, finding.line, today)), None)
            if waiver is None:
                kept.append(finding)
            else:
                used.add(id(waiver))
                waived.append(replace(finding, waived=waiver.reason))
        kept.extend(_idle(file, used, {rule.id for rule in chosen}))
    report = Report(findings=(), waived=tuple(waived), files=tuple(files))
    return add(report, kept)


def add(report: Report, findings: Iterable[Finding]) -> Report:
    """A report with more findings, in the order of the files and lines."""
    everything = sorted((*report.findings, *findings), key=lambda f: (f.file, f.line, f.column, f.rule))
    return replace(report, findings=tuple(everything))


def _link_siblings(files: list[LintFile]) -> None:
    """Tell files in one folder of one another whose names differ in a number only (rocm, rocm720)."""
    groups: dict[tuple[str, str], list[LintFile]] = {}
    for file in files:
        path = Path(file.source.name)
        stem = re.sub(r"[\W_]+", "-", re.sub(r"\d+", "", path.name))
        groups.setdefault((str(path.parent), stem), []).append(file)
    for group in groups.values():
        for file in group:
            file.siblings = tuple(other for other in group if other is not file)


def _findings(file: LintFile, rules: tuple[Rule, ...], *, debug: bool) -> list[Finding]:
    found: list[Finding] = []
    for rule in rules:
        try:
            found.extend(_finding(file, rule, hit) for hit in rule.check(file))
        except Exception as error:
            if debug:
                raise
            hit = Hit(
                start=0,
                end=0,
                message=f"{rule.id} could not read this file and checked nothing: {type(error).__name__}: {error}",
                level=Level.ERROR,
            )
            found.append(_finding(file, rule, hit))
    return found


def _finding(file: LintFile, rule: Rule, hit: Hit) -> Finding:
    source = file.source
    line = source.line(hit.start)
    end = max(hit.end, hit.start)
    also = tuple(dict.fromkeys(other for other in map(source.line, hit.more) if other != line))
    return Finding(
        rule=rule.id,
        failure_class=rule.failure_class,
        file=source.name,
        line=line,
        column=source.column(hit.start),
        end_line=source.line(max(end - 1, hit.start)),
        end_column=source.column(end),
        level=hit.level or rule.level,
        message=hit.message,
        fix=rule.fix,
        edits=hit.edits,
        also=also,
    )


def _idle(file: LintFile, used: set[int], known: set[str]) -> list[Finding]:
    """Waivers that waive nothing."""
    rule = all_rules()["ROC000"]
    if rule.id not in known:
        return []
    found: list[Finding] = []
    for waiver in file.waivers:
        if waiver.problem or waiver.expired(file.today) or id(waiver) in used or not set(waiver.rules) <= known:
            continue
        message = f"the waiver of {', '.join(waiver.rules)} covers no finding"
        hit = Hit(start=waiver.start, end=waiver.end, message=message, level=Level.NOTE)
        found.append(_finding(file, rule, hit))
    return found
