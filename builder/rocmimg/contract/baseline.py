"""Findings that somebody looked at and accepted, each with a reason."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Final

import yaml

from rocmimg.contract.model import Finding
from rocmimg.errors import ConfigError, Position

_KEYS: Final = ("target", "file", "verdict", "reason")


@dataclass(frozen=True, slots=True, kw_only=True)
class Accepted:
    """One entry: patterns as in a shell, and the reason."""

    target: str
    file: str
    verdict: str
    reason: str
    position: Position

    def covers(self, finding: Finding) -> bool:
        """True where all three patterns match."""
        pairs = ((finding.target, self.target), (finding.file, self.file), (finding.verdict, self.verdict))
        return all(fnmatchcase(value, pattern) for value, pattern in pairs)


def read_baseline(path: Path) -> tuple[Accepted, ...]:
    """The entries of a baseline file: a YAML list of ``target``, ``file``, ``verdict`` and ``reason``.

    ``target`` and ``reason`` are required. Raises ConfigError with the line of the entry.
    """
    try:
        tree = yaml.compose(path.read_text(encoding="utf-8"), Loader=yaml.SafeLoader)
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"cannot read the baseline {path}", why=str(error)) from error
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 0
        raise ConfigError("not YAML", why=error.problem or "", position=Position(str(path), line)) from error
    if tree is None:
        return ()
    if not isinstance(tree, yaml.SequenceNode):
        raise ConfigError("a baseline is a list of entries", position=Position(str(path), tree.start_mark.line + 1))
    return tuple(_entry(node, Position(str(path), node.start_mark.line + 1)) for node in tree.value)


def _entry(node: yaml.Node, position: Position) -> Accepted:
    if not isinstance(node, yaml.MappingNode):
        raise ConfigError("an entry has the keys target and reason", position=position)
    values: dict[str, str] = {}
    for key, value in node.value:
        if key.value not in _KEYS:
            raise ConfigError(
                f"unknown key {key.value!r}",
                next_step=f"keys are {', '.join(_KEYS)}",
                position=Position(position.source, key.start_mark.line + 1),
            )
        if not isinstance(value, yaml.ScalarNode):
            raise ConfigError(f"{key.value} must be text", position=position)
        values[key.value] = value.value.strip()
    for required in ("target", "reason"):
        if not values.get(required):
            raise ConfigError(
                f"an entry without a {required}", why="a finding is accepted for a reason", position=position
            )
    return Accepted(
        target=values["target"],
        file=values.get("file", "*"),
        verdict=values.get("verdict", "*"),
        reason=values["reason"],
        position=position,
    )


def accept(
    findings: Iterable[Finding], baseline: Sequence[Accepted]
) -> tuple[tuple[Finding, ...], tuple[Accepted, ...]]:
    """Findings with the reasons of the entries that cover them, and the entries that cover nothing."""
    used: set[Accepted] = set()
    marked: list[Finding] = []
    for finding in findings:
        covering = [entry for entry in baseline if entry.covers(finding)]
        used.update(covering)
        marked.append(replace(finding, accepted=covering[0].reason) if covering else finding)
    return tuple(marked), tuple(entry for entry in baseline if entry not in used)
