"""Waivers: a finding that somebody has looked at, with a reason and an end.

In a comment above an instruction, or above a line between its continuations::

    # rocmimg: ignore=ROC009 reason="the spec is asserted below" until=2027-01-31

``ignore-file=`` covers the whole file. In a waivers file (YAML) the same keys stand in a list under ``waivers``, with
``path``, a glob. A waiver without a reason or an end waives nothing, and says so.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from fnmatch import fnmatch
from pathlib import Path
from typing import Any, Final

from rocmimg.errors import ConfigError, Position
from rocmimg.lint.syntax import Comment, Dockerfile

_MARK: Final = re.compile(r"rocmimg:\s*(ignore(?:-file)?)=(\S+)(.*)", re.DOTALL)
_FIELD: Final = re.compile(r"""(\w+)=(?:"([^"]*)"|'([^']*)'|(\S+))""")
FILE_NAME: Final = ".rocmimg-lint.yaml"


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiver:
    """What is waived, where, why, and until when. `problem` says why it does not count."""

    rules: tuple[str, ...]
    reason: str
    until: date | None
    start: int
    end: int
    first_line: int
    last_line: int
    """0 for the whole file."""
    problem: str = ""
    path: str = ""

    def covers(self, rule: str, line: int, today: date) -> bool:
        """Whether it waives a finding of a rule in a line."""
        if self.problem or self.expired(today) or rule not in self.rules:
            return False
        return not self.last_line or self.first_line <= line <= self.last_line

    def expired(self, today: date) -> bool:
        """It counts up to and with its last day."""
        return self.until is not None and self.until < today


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
    """Waivers in the comments of a file."""
    for comment in dockerfile.comments:
        match = _MARK.search(comment.text)
        if match is None:
            continue
        fields = {name: double or single or plain for name, double, single, plain in _FIELD.findall(match[3])}
        until, problem = _checked(fields.get("reason", ""), fields.get("until", ""))
        first, last = (0, 0) if match[1] == "ignore-file" else _reach(dockerfile, comment)
        yield Waiver(
            rules=tuple(match[2].split(",")),
            reason=fields.get("reason", ""),
            until=until,
            start=comment.start,
            end=comment.end,
            first_line=first,
            last_line=last,
            problem=problem,
        )


def _reach(dockerfile: Dockerfile, comment: Comment) -> tuple[int, int]:
    source = dockerfile.source
    line = source.line(comment.start) + 1
    if comment.inside:
        while line < len(source.lines) and source.line_text(line).lstrip().startswith("#"):
            line += 1
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
        content: Any = yaml.safe_load(path.read_bytes())
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
    return tuple(_entry(path, number, entry) for number, entry in enumerate(entries, start=1))


def _entry(path: Path, number: int, entry: Any) -> Waiver:
    known = {"path", "rules", "reason", "until"}
    if not isinstance(entry, dict) or set(entry) - known:
        raise ConfigError(
            f"waiver {number} has other keys than {', '.join(sorted(known))}", position=Position(str(path))
        )
    rules = entry.get("rules") or ()
    rules = (rules,) if isinstance(rules, str) else tuple(map(str, rules))
    until, problem = _checked(str(entry.get("reason") or ""), str(entry.get("until") or ""))
    if problem:
        raise ConfigError(f"waiver {number}: {problem}", position=Position(str(path)))
    return Waiver(
        rules=rules,
        reason=str(entry["reason"]),
        until=until,
        start=0,
        end=0,
        first_line=0,
        last_line=0,
        path=str(entry.get("path") or "*"),
    )


def matching(waivers: tuple[Waiver, ...], name: str) -> list[Waiver]:
    """The waivers of a waivers file that hold for a file."""
    return [waiver for waiver in waivers if fnmatch(name, waiver.path) or fnmatch(Path(name).name, waiver.path)]
