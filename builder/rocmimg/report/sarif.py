"""SARIF 2.1.0, the format in which code hosts take findings. Pure functions over plain records.

Source: OASIS, Static Analysis Results Interchange Format 2.1.0.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

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
    """Relative, with forward slashes."""
    line: int = 0
    """1-based; 0 where the finding is about the whole file."""
    column: int = 0
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


def _result(result: SarifResult, index: dict[str, int]) -> dict[str, Any]:
    place: dict[str, Any] = {"artifactLocation": {"uri": result.file}}
    if result.line:
        place["region"] = {"startLine": result.line} | ({"startColumn": result.column} if result.column else {})
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
