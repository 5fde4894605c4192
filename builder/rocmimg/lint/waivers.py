"""Waivers: a finding that somebody has looked at, with a reason and an end.

In a comment above an instruction, or above a line between its continuations::

    # rocmimg: ignore=ROC009 reason="the spec is asserted below" until=2027-01-31

``ignore-file=`` covers the whole file. In a waivers file (YAML) the same keys stand in a list under ``waivers``, with
``path``, a glob relative to the folder of that file. A waiver without a reason or an end waives nothing, and says so.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from datetime import date
from fnmatch import fnmatch
from pathlib import Path
from typing import Any, Final

from rocmimg.errors import ConfigError, Position
from rocmimg.lint.build_context import repository_folders, shown
from rocmimg.lint.model import Finding
from rocmimg.lint.syntax import Comment, Dockerfile
from rocmimg.lint.text import Source

_MARK: Final = re.compile(r"rocmimg:\s*(ignore(?:-file)?)=(\S+)(.*)", re.DOTALL)
_FIELD: Final = re.compile(r"""(\w+)=(?:"([^"]*)"|'([^']*)'|(\S+))""")
FILE_NAME: Final = ".rocmimg-lint.yaml"


_FOREIGN: Final = re.compile(r"(DL|SC)\d+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiver:
    """What is waived, where, why, and until when. `problem` says why it does not count."""

    rules: tuple[str, ...]
    reason: str
    until: date | None
    source: Source
    """The text in which it stands, from `start` to `end`."""
    start: int
    end: int
    base: int = 0
    """What to add to these places for those of the LintFile."""
    first_line: int = 0
    last_line: int = 0
    """0 for the whole file."""
    problem: str = ""
    path: str = ""
    """A glob, for a waiver of a waivers file; it is relative to `folder`."""
    folder: Path | None = None

    def covers(self, finding: Finding, today: date) -> bool:
        """Whether it waives a finding."""
        if self.problem or self.expired(today) or finding.rule not in self.rules:
            return False
        if self.folder is not None:
            return self.reaches(finding.file)
        here = finding.file == self.source.name
        return here and (not self.last_line or self.first_line <= finding.line <= self.last_line)

    def reaches(self, name: str) -> bool:
        """Whether the glob of a waivers file matches a file, by its path or by its name alone."""
        if self.folder is None:
            return False
        path = Path(name).absolute()
        below = path.is_relative_to(self.folder)
        relative = path.relative_to(self.folder).as_posix() if below else name
        return fnmatch(relative, self.path) or ("/" not in self.path and fnmatch(path.name, self.path))

    def expired(self, today: date) -> bool:
        """It counts up to and with its last day."""
        return self.until is not None and self.until < today

    def complaint(self, today: date, known: Collection[str]) -> str:
        """Why it does not count, or what in it is not known; empty when it is in order."""
        rules = ", ".join(self.rules)
        if self.problem:
            return f"the waiver of {rules} does not count: {self.problem}"
        if self.expired(today):
            return f"the waiver of {rules} ended on {self.until}: it waives nothing any more"
        unknown = [rule for rule in self.rules if rule not in known and not _FOREIGN.fullmatch(rule)]
        return f"the waiver names {', '.join(unknown)}, and there is no such rule" if unknown else ""


def _checked(reason: str, until: str) -> tuple[date | None, str]:
    if not reason.strip():
        return None, "it gives no reason"
    if not until:
        return None, "it gives no end (until=YYYY-MM-DD)"
    try:
        return date.fromisoformat(until), ""
    except ValueError:
        return None, f"{until} is not a date (YYYY-MM-DD)"


def inline(dockerfile: Dockerfile) -> Iterator[Waiver]:
    """Waivers in the comments of a Dockerfile."""
    for comment in dockerfile.comments:
        match = _MARK.search(comment.text)
        if match is not None:
            yield _waiver(dockerfile.source, match, comment.start, comment.end, _reach(dockerfile, comment))


def in_script(source: Source, base: int) -> Iterator[Waiver]:
    """Waivers in the comments of a shell script: each covers the next line of code."""
    for number, start in enumerate(source.lines, start=1):
        text = source.line_text(number)
        match = _MARK.search(text) if text.lstrip().startswith("#") else None
        if match is not None:
            line = _below(source, number + 1)
            yield replace(_waiver(source, match, start, start + len(text.encode()), (line, line)), base=base)


def _waiver(source: Source, match: re.Match[str], start: int, end: int, reach: tuple[int, int]) -> Waiver:
    fields = {name: double or single or plain for name, double, single, plain in _FIELD.findall(match[3])}
    until, problem = _checked(fields.get("reason", ""), fields.get("until", ""))
    first, last = (0, 0) if match[1] == "ignore-file" else reach
    return Waiver(
        rules=tuple(match[2].split(",")),
        reason=fields.get("reason", ""),
        until=until,
        start=start,
        end=end,
        first_line=first,
        last_line=last,
        source=source,
        problem=problem,
    )


def _below(source: Source, line: int) -> int:
    while line < len(source.lines) and source.line_text(line).lstrip().startswith("#"):
        line += 1
    return line


def _reach(dockerfile: Dockerfile, comment: Comment) -> tuple[int, int]:
    source = dockerfile.source
    line = source.line(comment.start) + 1
    if comment.inside:
        line = _below(source, line)
        return line, line
    following = next((i for i in dockerfile.instructions if i.start >= comment.end), None)
    if following is None:
        return line, line
    return source.line(following.start), source.line(max(following.end - 1, following.start))


def from_file(path: Path) -> tuple[Waiver, ...]:
    """Waivers of a waivers file.

    Raises:
        ConfigError: the file is not what its form says.
    """
    import yaml

    try:
        source = Source.read(shown(path), path.read_bytes())
        root = yaml.compose(source.data.decode(), yaml.SafeLoader)
        content: Any = yaml.safe_load(source.data)
    except OSError as error:
        raise ConfigError(f"{path} cannot be read", why=error.strerror or str(error)) from error
    except RecursionError:
        raise ConfigError("the waivers are nested too deeply", position=Position(str(path))) from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        raise ConfigError(
            "the waivers are not YAML",
            why=getattr(error, "problem", None) or str(error).splitlines()[0],
            next_step="fix the syntax",
            position=Position(str(path), mark.line + 1 if mark else 0),
        ) from error
    entries = content.get("waivers") if isinstance(content, dict) else None
    if not isinstance(entries, list):
        raise ConfigError(
            "no list of waivers here",
            next_step="write `waivers:` with entries of path, rules, reason, until",
            position=Position(str(path)),
        )
    nodes = next(value.value for key, value in root.value if key.value == "waivers") if root is not None else []
    return tuple(_entry(path, source, node, entry) for node, entry in zip(nodes, entries, strict=True))


def _entry(path: Path, source: Source, node: Any, entry: Any) -> Waiver:
    position = Position(str(path), node.start_mark.line + 1)
    known = {"path", "rules", "reason", "until"}
    if not isinstance(entry, dict) or set(entry) - known:
        raise ConfigError(f"this waiver has other keys than {', '.join(sorted(known))}", position=position)
    rules = entry.get("rules") or ()
    rules = (rules,) if isinstance(rules, str) else tuple(map(str, rules))
    until, problem = _checked(str(entry.get("reason") or ""), str(entry.get("until") or ""))
    if problem or not rules:
        raise ConfigError(f"this waiver does not count: {problem or 'it names no rule'}", position=position)
    start, end = (source.lines[mark.line] + mark.column for mark in (node.start_mark, node.end_mark))
    return Waiver(
        rules=rules,
        reason=str(entry["reason"]),
        until=until,
        source=source,
        start=start,
        end=max(min(end, len(source.data)), start),
        path=str(entry.get("path") or "*"),
        folder=path.absolute().parent,
    )


def beside(path: Path) -> list[Path]:
    """The waivers files that hold for a file: in its folder and in those above it, up to the repository's root."""
    return [found for folder in repository_folders(path) if (found := folder / FILE_NAME).is_file()]
