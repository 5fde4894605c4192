"""Linting a text in a test."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date

from rocmimg.lint.context import LintFile
from rocmimg.lint.dockerfile import parse
from rocmimg.lint.model import Finding
from rocmimg.lint.runner import lint
from rocmimg.lint.text import Source

TODAY = date(2026, 11, 21)


def findings(text: str | bytes, arguments: Mapping[str, str] | None = None, today: date = TODAY) -> list[Finding]:
    """What our own rules find."""
    data = text if isinstance(text, bytes) else text.encode()
    return list(lint({"Dockerfile": data}, arguments=arguments or {}, today=today, debug=True).findings)


def found(text: str, arguments: Mapping[str, str] | None = None) -> list[tuple[str, int]]:
    """Rule and line of what is found."""
    return [(finding.rule, finding.line) for finding in findings(text, arguments)]


def lines(text: str, rule: str, arguments: Mapping[str, str] | None = None) -> list[int]:
    """Lines where a rule fires."""
    return [line for name, line in found(text, arguments) if name == rule]


def read(text: str) -> LintFile:
    """A file with its scopes and scripts."""
    return LintFile(parse(Source.read("Dockerfile", text.encode())), {}, today=TODAY)
