"""hadolint and shellcheck beside our rules, where they are installed.

hadolint reads the file and hands every RUN to its built-in shellcheck; it does not see the scripts inside scripts
(``bash -c '...'``) and here-documents. Those go to shellcheck here. What one of our rules says already is dropped.
"""

from __future__ import annotations

import json
import posixpath
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from shutil import which
from time import monotonic
from typing import Any, Final

from rocmimg.lint.context import LintFile
from rocmimg.lint.model import Evidence, Finding, Level
from rocmimg.lint.rules import all_rules
from rocmimg.lint.shell import options
from rocmimg.lint.text import MappedText, Source

# hadolint could not parse the file.
_UNREAD: Final = "DL1000"
# What a tool gets for a run, and for each file more: text that is nested without end must not hold the run up.
_HADOLINT_SECONDS: Final = (10.0, 1.0)
_SHELLCHECK_SECONDS: Final = (5.0, 0.5)
_SCRIPT_SECONDS: Final = 3.0
# Only our rules know what breaks an image: theirs never fail a run.
_LEVELS: Final = {"error": Level.WARNING, "warning": Level.WARNING, "info": Level.NOTE, "style": Level.NOTE}
# About `$?`-style niceties of the outer text that a nested script has no part in.
_SHELLCHECK_OFF: Final = "SC2148,SC2154,SC1091,SC2164"


def find(tool: str) -> str | None:
    """A tool on PATH, or beside the Python that runs."""
    return which(tool) or which(tool, path=str(Path(sys.executable).parent))


def _seconds(limit: tuple[float, float], files: int) -> float:
    return limit[0] + limit[1] * files


@dataclass(slots=True)
class Hadolint:
    """hadolint at work on files while our own rules run."""

    process: subprocess.Popen[bytes] | None
    seconds: float = 0

    @classmethod
    def start(cls, names: Iterable[str]) -> Hadolint:
        """Start it on files; nothing happens where it is not installed."""
        tool = find("hadolint")
        files = list(names)
        if tool is None or not files:
            return cls(None)
        argv = [tool, "--no-fail", "--format", "json", "--", *files]
        process = subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        return cls(process, _seconds(_HADOLINT_SECONDS, len(files)))

    def entries(self) -> list[dict[str, Any]] | None:
        """What it says, None where it did not run or did not finish."""
        if self.process is None:
            return None
        try:
            output, _ = self.process.communicate(timeout=self.seconds)
            entries = json.loads(output)
        except (subprocess.TimeoutExpired, ValueError):
            self.process.kill()
            self.process.communicate()
            return None
        return entries if isinstance(entries, list) else None


def start(names: list[str]) -> Callable[[list[LintFile], list[Finding]], list[Finding]]:
    """Start hadolint on files; what comes back adds its findings and those of shellcheck to ours."""
    hadolint = Hadolint.start(names)

    def add(files: list[LintFile], ours: list[Finding]) -> list[Finding]:
        entries = hadolint.entries()
        found = merge(files, ours, entries) if entries is not None else []
        if entries is None and hadolint.process is not None:
            message = "hadolint gave no answer in time: it says nothing about this file"
            found = [_unread(file, _UNREAD, message) for file in files]
        clock = Clock(_seconds(_SHELLCHECK_SECONDS, len(files)))
        known = {(finding.file, finding.line, finding.rule) for finding in found}
        for file in files:
            for finding in shellcheck(file, clock):
                if (finding.file, finding.line, finding.rule) not in known:
                    known.add((finding.file, finding.line, finding.rule))
                    found.append(finding)
        return found

    return add


def merge(files: Iterable[LintFile], ours: Iterable[Finding], entries: list[dict[str, Any]]) -> list[Finding]:
    """Findings of hadolint that none of ours makes."""
    by_name = {file.source.name: file for file in files}
    said = _said(by_name, ours)
    found: list[Finding] = []
    for entry in entries:
        file = by_name.get(str(entry.get("file")))
        line = int(entry.get("line") or 1)
        code = str(entry.get("code"))
        if file is None or (file.source.name, _instruction(file, line), code) in said or _mistaken(file, line, code):
            continue
        if code == _UNREAD and not file.dockerfile.problems:
            entry["message"] = (
                f"hadolint cannot read this file, which BuildKit reads; it checked nothing: {entry['message']}"
            )
            entry["level"] = "info"
        found.append(
            _foreign(file.source, code, line, int(entry.get("column") or 1), str(entry["level"]), str(entry["message"]))
        )
    return found


def _mistaken(file: LintFile, line: int, code: str) -> bool:
    """hadolint forgets the SHELL of a parent stage: it takes bash for sh, and misses pipefail."""
    if not code.startswith("SC3") and code != "DL4006":
        return False
    index = _instruction(file, line)
    run = next((run for run in file.runs if run.instruction.index == index), None)
    if run is None:
        return False
    shell = file.scopes.shell(run.stage, index, file.scopes.variants_of(run.stage)[0])
    bash = shell[0].rpartition("/")[2] == "bash"
    return bash and (code != "DL4006" or options(shell)[1])


def _said(files: dict[str, LintFile], ours: Iterable[Finding]) -> set[tuple[str, int, str]]:
    """File, instruction and foreign code of everything that our findings cover."""
    rules = all_rules()
    said: set[tuple[str, int, str]] = set()
    for finding in ours:
        for code in rules[finding.rule].replaces if finding.rule in rules else ():
            for line in (finding.line, *finding.also) if finding.file in files else ():
                said.add((finding.file, _instruction(files[finding.file], line), code))
    return said


def _instruction(file: LintFile, line: int) -> int:
    for instruction in file.dockerfile.instructions:
        if file.source.line(instruction.start) <= line <= file.source.line(max(instruction.end - 1, instruction.start)):
            return instruction.index
    return -line


def _foreign(source: Source, code: str, line: int, column: int, level: str, message: str) -> Finding:
    line = min(max(line, 1), len(source.lines))
    return Finding(
        rule=code,
        failure_class="-",
        file=source.name,
        line=line,
        column=column,
        end_line=line,
        end_column=column + 1,
        level=_LEVELS.get(level, Level.NOTE),
        message=message,
        fix="",
        evidence=Evidence.TOOL,
    )


@dataclass(slots=True)
class Clock:
    """Seconds that may still be spent."""

    left: float

    def run(self, argv: list[str], text: bytes) -> bytes | None:
        """What a command writes; None where it took too long."""
        began = monotonic()
        try:
            seconds = min(self.left, _SCRIPT_SECONDS)
            return subprocess.run(argv, input=text, capture_output=True, timeout=seconds, check=False).stdout
        except subprocess.TimeoutExpired:
            return None
        finally:
            self.left -= monotonic() - began


def shellcheck(file: LintFile, clock: Clock) -> Iterator[Finding]:
    """What shellcheck says about scripts inside scripts; nothing where it is not installed."""
    tool = find("shellcheck")
    if tool is None:
        return
    unread = 0
    for run in file.runs:
        for text, shell in run.script.texts[1:]:
            name = posixpath.basename(shell[0])
            dialect = name if name in {"bash", "dash", "ksh"} else "sh"
            argv = [tool, "--format", "json", "--shell", dialect, "--exclude", _SHELLCHECK_OFF, "-"]
            output = clock.run(argv, text.data) if clock.left > 0 else None
            try:
                entries = json.loads(output or b"[]")
            except ValueError:
                output = None
            if output is None:
                unread += 1
                continue
            yield from _of_script(file, text, entries)
    if unread:
        yield _unread(file, "SC0000", f"shellcheck did not read {unread} scripts inside scripts: they took too long")


def _unread(file: LintFile, code: str, message: str) -> Finding:
    return _foreign(file.source, code, 1, 1, "info", message)


def _of_script(file: LintFile, text: MappedText, entries: list[dict[str, Any]]) -> Iterator[Finding]:
    starts = [0, *(index + 1 for index, byte in enumerate(text.data) if byte == ord("\n"))]
    for entry in entries:
        offset = text.origin(min(starts[int(entry["line"]) - 1] + int(entry["column"]) - 1, len(text.data)))
        source, place = file.locate(offset)
        line, column = source.line(place), source.column(place)
        code, level, message = f"SC{entry['code']}", str(entry["level"]), str(entry["message"])
        yield _foreign(source, code, line, column, level, message)
