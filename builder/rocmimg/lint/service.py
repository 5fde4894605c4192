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
    files = runner.find_files(paths)
    contents = {str(path): _read(path) for path in files}
    known = _waivers(files, waivers)

    def lint(extra: runner.External | None) -> runner.Report:
        return runner.lint(
            contents,
            arguments=arguments,
            today=date.today(),
            waivers=known,
            rules=chosen,
            external=extra,
            on_disk=True,
            searched=paths,
            debug=debug,
        )

    if fix:
        contents = _fix(lint(None))
    return lint(external_tools.start(list(contents)) if external else None)


def run_texts(texts: Mapping[str, str]) -> runner.Report:
    """Lint Dockerfiles that are not on disk, by name."""
    contents = {name: text.encode() for name, text in texts.items()}
    return runner.lint(contents, arguments={}, today=date.today())


def run_own(name: str, text: str, arguments: Mapping[str, str]) -> runner.Report:
    """Lint the file ``name`` as a build reads it, with the waivers beside it.

    Raises:
        ConfigError: a waivers file is wrong.
    """
    return runner.lint(
        {name: text.encode()},
        arguments=arguments,
        today=date.today(),
        waivers=_waivers([Path(name)], None),
        on_disk=True,
    )


def _waivers(files: Sequence[Path], named: Path | None) -> tuple[waiver_files.Waiver, ...]:
    """Waivers of the file that is named; without one, those of every waivers file above a Dockerfile."""
    found = [named] if named else [path for file in files for path in waiver_files.beside(file)]
    return tuple(waiver for path in dict.fromkeys(found) for waiver in waiver_files.from_file(path))


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise SourceError(f"{path}: {error.strerror}") from error


def _fix(report: runner.Report) -> dict[str, bytes]:
    """Write the fixed files; the content of the linted ones afterwards."""
    contents: dict[str, bytes] = {}
    linted = {file.source.name for file in report.files}
    for name in dict.fromkeys((*linted, *(finding.file for finding in report.findings if finding.edits))):
        data = _read(Path(name))
        text, count = apply_edits(data, (finding for finding in report.findings if finding.file == name))
        if count:
            try:
                Path(name).write_bytes(text)
            except OSError as error:
                raise SourceError(f"{name}: {error.strerror}") from error
        if name in linted:
            contents[name] = text
    return contents


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
