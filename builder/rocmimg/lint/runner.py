"""Runs the rules over files and gathers what they find."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Final

from rocmimg.errors import SourceError
from rocmimg.lint.build_context import BuildContext
from rocmimg.lint.context import LintFile
from rocmimg.lint.dockerfile import parse
from rocmimg.lint.model import Edit, Evidence, Finding, Hit, Level, Rule
from rocmimg.lint.rules import all_rules
from rocmimg.lint.text import Source
from rocmimg.lint.waivers import Waiver

_WAIVER_RULE: Final = "ROC000"
_NAME: Final = re.compile(r"(.*\.)?(dockerfile|containerfile)([._-].*)?", re.IGNORECASE)
_SKIPPED: Final = frozenset({".git", ".venv", "venv", "node_modules", "__pycache__"})
_NOT_TEXT: Final = frozenset(
    {".dockerignore", ".md", ".py", ".sh", ".json", ".yaml", ".yml"}
    # Another program makes the Dockerfile of them.
    | {".j2", ".jinja", ".jinja2", ".tpl", ".tmpl", ".template", ".gotmpl", ".in", ".m4", ".erb", ".hbs", ".mustache"}
    | {".png", ".svg", ".jpg", ".txt", ".patch", ".orig", ".rej", ".bak"}
)


External = Callable[[list[LintFile], list[Finding]], list[Finding]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What was found in how many files; waived findings apart."""

    findings: tuple[Finding, ...]
    waived: tuple[Finding, ...]
    files: tuple[LintFile, ...]
    waivers: tuple[Waiver, ...] = ()
    """Those of waivers files."""

    @property
    def sources(self) -> dict[str, Source]:
        """The text of the files, of the scripts that they start, and of the waivers files, by name."""
        texts = [source for file in self.files for source in file.sources]
        return {source.name: source for source in (*texts, *(waiver.source for waiver in self.waivers))}

    @property
    def failed(self) -> bool:
        """There is an error."""
        return any(finding.level is Level.ERROR for finding in self.findings)


def joined(reports: Sequence[Report]) -> Report:
    """Several reports as one; what is found in one file twice is said once."""
    return Report(
        findings=tuple(dict.fromkeys(one for report in reports for one in report.findings)),
        waived=tuple(dict.fromkeys(one for report in reports for one in report.waived)),
        files=tuple(file for report in reports for file in report.files),
        waivers=tuple(one for report in reports for one in report.waivers),
    )


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
    external: External | None = None,
    on_disk: bool = False,
    searched: Sequence[Path] = (),
    debug: bool = False,
) -> Report:
    """Lint files given as name and content.

    With `on_disk` the names are paths, and files of the build context are looked for beside them; `searched` are paths
    that were searched for all their Dockerfiles. A rule that fails on a file is reported as a finding of that file,
    never as a traceback; with `debug` it raises.
    """
    chosen = tuple(all_rules().values() if rules is None else rules)
    files = [
        LintFile(
            parse(Source.read(name, data)),
            arguments,
            today=today,
            build_context=BuildContext(Path(name)) if on_disk else None,
        )
        for name, data in contents.items()
    ]
    _link_siblings(files)
    _prepare(files, chosen, debug=debug)
    found = [finding for file in files for finding in _findings(file, chosen, debug=debug)]
    # A script that two Dockerfiles start is read with each of them.
    found = list({(f.rule, f.file, f.line, f.column, f.message): f for f in found}.values())
    if external is not None:
        found.extend(external(files, found))
    kept: list[Finding] = []
    waived: list[Finding] = []
    applying = [*(waiver for file in files for waiver in file.waivers), *waivers]
    used: set[int] = set()
    for finding in found:
        covering = [waiver for waiver in applying if waiver.covers(finding, today)]
        used.update(map(id, covering))
        if covering:
            waived.append(replace(finding, waived=covering[0].reason))
        else:
            kept.append(finding)
    ids = {rule.id for rule in chosen}
    if _WAIVER_RULE in ids:
        known = all_rules()
        kept.extend(
            _about(waiver, complaint, known[_WAIVER_RULE].level)
            for waiver in waivers
            if (complaint := waiver.complaint(today, known))
        )
        kept.extend(_idle(applying, used, ids, files, searched, today))
    kept.sort(key=lambda f: (f.file, f.line, f.column, f.rule))
    return Report(findings=tuple(kept), waived=tuple(waived), files=tuple(files), waivers=waivers)


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


def _prepare(files: list[LintFile], rules: tuple[Rule, ...], *, debug: bool) -> None:
    for rule in rules:
        if rule.prepare is None:
            continue
        try:
            rule.prepare(files)
        except Exception:  # its check says so, file by file
            if debug:
                raise


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
    source, start = file.locate(hit.start)
    end = max(start + hit.end - hit.start, start)
    line = source.line(start)
    also = tuple(dict.fromkeys(other for other in map(file.line, hit.more) if other != line))
    assumed = hit.evidence is Evidence.ASSUMED
    moved = hit.start - start
    return Finding(
        rule=rule.id,
        failure_class=rule.failure_class,
        file=source.name,
        line=line,
        column=source.column(start),
        end_line=source.line(max(end - 1, start)),
        end_column=source.column(max(end - 1, start)) + 1,
        level=Level.NOTE if assumed else hit.level or rule.level,
        message=hit.message,
        fix=rule.fix,
        evidence=hit.evidence,
        edits=tuple(Edit(start=e.start - moved, end=e.end - moved, text=e.text) for e in hit.edits),
        also=also,
    )


def _about(waiver: Waiver, message: str, level: Level) -> Finding:
    rule = all_rules()[_WAIVER_RULE]
    source = waiver.source
    return Finding(
        rule=rule.id,
        failure_class=rule.failure_class,
        file=source.name,
        line=source.line(waiver.start),
        column=source.column(waiver.start),
        end_line=source.line(max(waiver.end - 1, waiver.start)),
        end_column=source.column(waiver.end),
        level=level,
        message=message,
        fix=rule.fix,
    )


def _idle(
    waivers: list[Waiver], used: set[int], ids: set[str], files: list[LintFile], searched: Sequence[Path], today: date
) -> Iterator[Finding]:
    """Waivers that waive nothing, as far as what was linted can show it."""
    whole = [path.absolute() for path in searched if path.is_dir()]
    names = [source.name for file in files for source in file.sources]
    for waiver in waivers:
        if waiver.complaint(today, all_rules()) or id(waiver) in used or not set(waiver.rules) <= ids:
            continue
        folder = waiver.folder
        complete = folder is not None and any(folder.is_relative_to(path) for path in whole)
        if folder is None or complete or any(waiver.reaches(name) for name in names):
            yield _about(waiver, f"the waiver of {', '.join(waiver.rules)} covers no finding", Level.NOTE)
