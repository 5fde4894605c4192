"""What the command line asks of this room: read files, lint, cure, add what other linters say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path

from rocmimg.errors import ConfigError, SourceError
from rocmimg.lint import engine
from rocmimg.lint import external as others
from rocmimg.lint import fix as cures
from rocmimg.lint import waivers as excuses
from rocmimg.lint.model import Rule
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
) -> engine.Report:
    """Lint files and folders.

    Raises:
        SourceError: a path is not there or cannot be read or written.
        ConfigError: the waivers file or the name of a rule is wrong.
    """
    chosen = select(rules)
    excused = _waivers(waivers)
    files = engine.find_files(paths)
    names = [str(path) for path in files]
    hadolint = others.Hadolint.start(names) if external and not fix else None
    contents = {str(path): _read(path) for path in files}
    report = _lint(contents, arguments, excused, chosen, debug)
    if fix:
        contents = _cure(contents, report)
        hadolint = others.Hadolint.start(names) if external else None
        report = _lint(contents, arguments, excused, chosen, debug)
    return _with_others(report, hadolint) if hadolint is not None else report


def _lint(
    contents: Mapping[str, bytes],
    arguments: Mapping[str, str],
    excused: tuple[excuses.Waiver, ...],
    rules: list[Rule],
    debug: bool,
) -> engine.Report:
    return engine.lint(contents, arguments=arguments, today=date.today(), waivers=excused, rules=rules, debug=debug)


def _with_others(report: engine.Report, hadolint: others.Hadolint) -> engine.Report:
    entries = hadolint.entries()
    own = (*report.findings, *report.waived)
    theirs = others.merge(report.files, own, entries) if entries is not None else []
    known = {(finding.file, finding.line, finding.rule) for finding in theirs}
    for file in report.files:
        for finding in others.shellcheck(file):
            if (finding.file, finding.line, finding.rule) not in known:
                known.add((finding.file, finding.line, finding.rule))
                theirs.append(finding)
    return engine.add(report, theirs)


def _waivers(path: Path | None) -> tuple[excuses.Waiver, ...]:
    chosen = path or Path(excuses.FILE_NAME)
    return excuses.from_file(chosen) if path or chosen.is_file() else ()


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise SourceError(f"{path}: {error.strerror}") from error


def _cure(contents: Mapping[str, bytes], report: engine.Report) -> dict[str, bytes]:
    cured = dict(contents)
    for name, data in contents.items():
        text, count = cures.apply(data, (finding for finding in report.findings if finding.file == name))
        if count:
            try:
                Path(name).write_bytes(text)
            except OSError as error:
                raise SourceError(f"{name}: {error.strerror}") from error
            cured[name] = text
    return cured
