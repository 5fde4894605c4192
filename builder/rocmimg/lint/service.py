"""What the command line asks of this room: read files, lint, fix, add what other linters say."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from pathlib import Path

from rocmimg.errors import ConfigError, SourceError
from rocmimg.lint import external as external_tools
from rocmimg.lint import runner
from rocmimg.lint import waivers as waiver_files
from rocmimg.lint.model import Edit, Finding, Rule
from rocmimg.lint.rules import all_rules


def select(ids: Sequence[str]) -> list[Rule]:
    """The rules of some ids; all of them for none.

    Raises:
        ConfigError: there is no such rule.
    """
    known = all_rules()
    chosen: list[Rule] = []
    for name in ids:
        rule = known.get(name.upper())
        if rule is None:
            raise ConfigError(f"no rule {name!r}", next_step="`rocmimg lint --list` names them")
        chosen.append(rule)
    return chosen or list(known.values())


def run(
    paths: Sequence[Path],
    *,
    arguments: Mapping[str, str],
    rules: Sequence[str] = (),
    waivers: Path | None = None,
    external: bool = False,
    fix: bool = False,
    debug: bool = False,
) -> runner.Report:
    """Lint files and folders.

    Raises:
        SourceError: a path is not there or cannot be read or written.
        ConfigError: the waivers file or the name of a rule is wrong.
    """
    chosen = select(rules)
    known = _waivers(waivers)
    files = runner.find_files(paths)
    names = [str(path) for path in files]
    hadolint = external_tools.Hadolint.start(names) if external and not fix else None
    contents = {str(path): _read(path) for path in files}
    report = _lint(contents, arguments, known, chosen, debug)
    if fix:
        contents = _fix(contents, report)
        hadolint = external_tools.Hadolint.start(names) if external else None
        report = _lint(contents, arguments, known, chosen, debug)
    return _with_external(report, hadolint) if hadolint is not None else report


def _lint(
    contents: Mapping[str, bytes],
    arguments: Mapping[str, str],
    waivers: tuple[waiver_files.Waiver, ...],
    rules: list[Rule],
    debug: bool,
) -> runner.Report:
    return runner.lint(contents, arguments=arguments, today=date.today(), waivers=waivers, rules=rules, debug=debug)


def _with_external(report: runner.Report, hadolint: external_tools.Hadolint) -> runner.Report:
    entries = hadolint.entries()
    own = (*report.findings, *report.waived)
    theirs = external_tools.merge(report.files, own, entries) if entries is not None else []
    known = {(finding.file, finding.line, finding.rule) for finding in theirs}
    for file in report.files:
        for finding in external_tools.shellcheck(file):
            if (finding.file, finding.line, finding.rule) not in known:
                known.add((finding.file, finding.line, finding.rule))
                theirs.append(finding)
    return runner.add(report, theirs)


def _waivers(path: Path | None) -> tuple[waiver_files.Waiver, ...]:
    chosen = path or Path(waiver_files.FILE_NAME)
    return waiver_files.from_file(chosen) if path or chosen.is_file() else ()


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise SourceError(f"{path}: {error.strerror}") from error


def _fix(contents: Mapping[str, bytes], report: runner.Report) -> dict[str, bytes]:
    fixed = dict(contents)
    for name, data in contents.items():
        text, count = apply_edits(data, (finding for finding in report.findings if finding.file == name))
        if count:
            try:
                Path(name).write_bytes(text)
            except OSError as error:
                raise SourceError(f"{name}: {error.strerror}") from error
            fixed[name] = text
    return fixed


def apply_edits(data: bytes, findings: Iterable[Finding]) -> tuple[bytes, int]:
    """The file with the edits of the findings, and how many findings they fix.

    Edits that touch one another are left for the next run.
    """
    edits: list[Edit] = []
    fixed = 0
    for finding in findings:
        free = all(edit.end < other.start or edit.start > other.end for edit in finding.edits for other in edits)
        if finding.edits and free:
            edits.extend(finding.edits)
            fixed += 1
    for edit in sorted(edits, key=lambda edit: edit.start, reverse=True):
        data = data[: edit.start] + edit.text.encode() + data[edit.end :]
    return data, fixed
