"""Every rule: its example fires, the corrected twin stays silent, and is not wrong otherwise."""

from __future__ import annotations

from pathlib import Path

import pytest

from rocmimg.lint.model import Level, Rule
from rocmimg.lint.rules import all_rules

from .support import findings, found

RULES = list(all_rules().values())


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
def test_the_example_fires(rule: Rule) -> None:
    hits = [finding for finding in findings(rule.bad) if finding.rule == rule.id]
    assert hits
    assert any(finding.level is rule.level for finding in hits)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
def test_the_twin_is_silent_and_has_no_error(rule: Rule) -> None:
    assert rule.id not in {finding.rule for finding in findings(rule.good) if finding.level is not Level.NOTE}
    assert not [finding for finding in findings(rule.good) if finding.level is Level.ERROR]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
def test_a_rule_says_what_why_and_how(rule: Rule) -> None:
    assert all((rule.title, rule.why, rule.fix, rule.case, rule.failure_class))


def test_the_classes_that_text_can_show_have_rules() -> None:
    numbers = (1, 5, 9, 11, 12, 13, 14, 16, 17, 18, 19, 26, 28, 32, 33, 34, 37, 38, 40)
    assert {f"F{number:02}" for number in numbers} <= {rule.failure_class for rule in RULES}


def test_the_manual_lists_the_rules_as_they_are() -> None:
    manual = (Path(__file__).parents[3] / "docs" / "lint.md").read_text()
    rows = [f"| {rule.id} | {rule.failure_class} | {rule.level} | {rule.title} |" for rule in RULES]
    assert [line for line in manual.splitlines() if line.startswith("| ROC")] == rows


def test_a_clean_file_is_clean() -> None:
    assert found('FROM scratch\nCMD ["/app"]\n') == []
