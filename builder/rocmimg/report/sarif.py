"""SARIF 2.1.0, the format in which code hosts take findings. Pure functions over plain records.

Source: OASIS, Static Analysis Results Interchange Format 2.1.0.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any, Final, Literal
from urllib.parse import quote

from rocmimg import __version__

SarifLevel = Literal["error", "warning", "note", "none"]
SCHEMA: Final = "https://json.schemastore.org/sarif-2.1.0.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class SarifRule:
    """A kind of finding."""

    id: str
    summary: str
    help: str = ""
    level: SarifLevel = "warning"


@dataclass(frozen=True, slots=True, kw_only=True)
class SarifResult:
    """One finding."""

    rule: str
    level: SarifLevel
    message: str
    file: str
    """A path, relative or absolute."""
    line: int = 0
    """1-based; 0 where the finding is about the whole file."""
    column: int = 0
    end_line: int = 0
    end_column: int = 0
    """The column behind the last character."""
    suppressed: str = ""
    """Why it is accepted; empty where it is not."""


def sarif(tool: str, rules: Sequence[SarifRule], results: Sequence[SarifResult]) -> dict[str, Any]:
    """A SARIF log with one run."""
    index = {rule.id: at for at, rule in enumerate(rules)}
    return {
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [
            {
                "tool": {"driver": {"name": tool, "version": __version__, "rules": [_rule(rule) for rule in rules]}},
                "results": [_result(result, index) for result in results],
                "columnKind": "unicodeCodePoints",
            }
        ],
    }


def _rule(rule: SarifRule) -> dict[str, Any]:
    described: dict[str, Any] = {
        "id": rule.id,
        "shortDescription": {"text": rule.summary},
        "defaultConfiguration": {"level": rule.level},
    }
    return described | ({"help": {"text": rule.help}} if rule.help else {})


def _location(name: str) -> dict[str, str]:
    """A path as a URI: percent-encoded, below the root of the sources where it is relative."""
    path = PurePath(name)
    if path.is_absolute():
        return {"uri": path.as_uri()}
    return {"uri": quote(path.as_posix()), "uriBaseId": "%SRCROOT%"}


def _result(result: SarifResult, index: dict[str, int]) -> dict[str, Any]:
    place: dict[str, Any] = {"artifactLocation": _location(result.file)}
    if result.line:
        region = {"startLine": result.line, "startColumn": result.column}
        region |= {"endLine": result.end_line, "endColumn": result.end_column}
        place["region"] = {key: value for key, value in region.items() if value}
    shown: dict[str, Any] = {
        "ruleId": result.rule,
        "level": result.level,
        "message": {"text": result.message},
        "locations": [{"physicalLocation": place}],
    }
    if result.rule in index:
        shown["ruleIndex"] = index[result.rule]
    if result.suppressed:
        shown["suppressions"] = [{"kind": "external", "justification": result.suppressed}]
    return shown
