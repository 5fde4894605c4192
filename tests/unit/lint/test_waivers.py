"""Waivers cover what they name, where they stand, until they end."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from rocmimg.errors import ConfigError
from rocmimg.lint.runner import lint
from rocmimg.lint.waivers import from_file

from .support import TODAY, findings, found

CURL = "RUN curl -fsSLO https://example.com/a-1.2.tar.gz\n"


def comment(
    rule: str = "ROC037", rest: str = 'reason="the mirror is ours" until=2027-01-31', kind: str = "ignore"
) -> str:
    return f"# rocmimg: {kind}={rule} {rest}\n"


def test_a_waiver_covers_the_next_instruction_only() -> None:
    assert found("FROM scratch\n" + comment() + "# another comment\n" + CURL + CURL) == [("ROC037", 5)]


def test_a_waiver_between_continuations_covers_the_next_line_only() -> None:
    text = "FROM scratch\nRUN curl -fO https://a.b/c \\\n" + comment() + " && curl -fO https://a.b/d \\\n && true\n"
    assert found(text) == [("ROC037", 2)]


def test_a_file_waiver_covers_the_file() -> None:
    assert found(comment(kind="ignore-file") + "FROM scratch\n" + CURL + CURL) == []


def test_a_waiver_of_two_rules() -> None:
    text = "FROM scratch\n" + comment("ROC037,ROC053") + "RUN true\n"
    assert [(f.rule, f.line, str(f.level)) for f in findings(text)] == [("ROC000", 2, "note")]


def test_the_last_day_counts_and_the_next_does_not() -> None:
    text = "FROM scratch\n" + comment() + CURL
    assert findings(text, today=date(2027, 1, 31)) == []
    late = findings(text, today=date(2027, 2, 1))
    assert [(f.rule, f.line) for f in late] == [("ROC000", 2), ("ROC037", 3)]


@pytest.mark.parametrize(
    "rest", ["", 'reason="x"', "until=2027-01-31", 'reason="x" until=soon', 'reason="" until=2027-01-31']
)
def test_a_waiver_without_reason_or_end_waives_nothing(rest: str) -> None:
    assert [rule for rule, _ in found("FROM scratch\n" + comment(rest=rest) + CURL)] == ["ROC000", "ROC037"]


def test_a_waivers_file(tmp_path: Path) -> None:
    path = tmp_path / "waivers.yaml"
    path.write_text(
        "waivers:\n  - {path: 'docker/*', rules: [ROC037], reason: mirror, until: 2027-01-31}\n"
        "  - {path: '*', rules: ROC053, reason: rotated, until: 2020-01-31}\n"
    )
    text = ("FROM scratch\n" + CURL).encode()
    report = lint({"docker/Dockerfile": text, "Dockerfile": text}, arguments={}, today=TODAY, waivers=from_file(path))
    assert [(f.file, f.rule, f.line) for f in report.findings] == [
        (str(path), "ROC000", 3),
        ("Dockerfile", "ROC037", 2),
    ]
    assert [(f.file, f.waived) for f in report.waived] == [("docker/Dockerfile", "mirror")]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a: 1",
        "waivers: 3",
        "waivers: [1]",
        "waivers: [{path: x, rules: ROC001, reason: r}]",
        "{",
        "waivers: [{x: 1}]",
    ],
)
def test_a_broken_waivers_file_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "waivers.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError):
        from_file(path)


def test_waivers_that_are_not_yaml_are_named_with_their_line(tmp_path: Path) -> None:
    path = tmp_path / "waivers.yaml"
    path.write_text("waivers:\n  - {path: [\n")
    with pytest.raises(ConfigError, match=r"waivers.yaml:\d: the waivers are not YAML; [^\n]*; fix the syntax$"):
        from_file(path)
