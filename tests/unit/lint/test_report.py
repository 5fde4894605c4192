"""The report in its four forms."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema

from rocmimg.lint.rules import all_rules
from rocmimg.lint.runner import Report, lint
from rocmimg.report.lint import explain, render, summary

from .support import TODAY

BAD = """\
FROM rocm/pytorch:rocm7.2
WORKDIR /src
# rocmimg: ignore=ROC053 reason="rotated every night" until=2027-01-31
ENV HF_TOKEN=abc
RUN cd aiter && GPU_ARCHS=gfx942 pip install --no-cache-dir --no-deps -e .
RUN curl -fsSL https://example.com/ä -o /x
"""
# The schema as OASIS published it, taken from the npm package @microsoft/jest-sarif (MIT).
SCHEMA = Path(__file__).parent / "data" / "sarif-2.1.0-rtm.5.json"


def report(text: str = BAD, name: str = "images/Dockerfile") -> Report:
    return lint({name: text.encode()}, arguments={}, today=TODAY, debug=True)


def test_text_shows_the_line_with_a_caret_under_the_place() -> None:
    lines = render(report(), "text").splitlines()
    at = next(index for index, line in enumerate(lines) if "[ROC009 F09]" in line)
    assert lines[at].startswith("images/Dockerfile:5:17: error: from WORKDIR /src, `import aiter`")
    assert lines[at + 1] == "    5 | RUN cd aiter && GPU_ARCHS=gfx942 pip install --no-cache-dir --no-deps -e ."
    code, caret = lines[at + 1 : at + 3]
    assert code[caret.index("^") :].startswith("GPU_ARCHS=gfx942 pip install")
    assert caret.strip(" |") == "^" + "~" * (len(code) - caret.index("^") - 1)
    assert lines[-1] == summary(report()) == "1 file: 1 error, 2 warnings, 1 note, 1 waived"


def test_of_a_long_line_the_place_is_shown() -> None:
    for before, after in ((0, 9000), (9000, 0), (5000, 5000)):
        long = f"RUN echo {'a' * before} && curl -fsSLO https://a.b/c # {'b' * after}"
        shown = render(report(f"FROM scratch\n{long}\n"), "text").splitlines()
        at = next(index for index, line in enumerate(shown) if "[ROC037" in line)
        code, caret = shown[at + 1 : at + 3]
        assert code[caret.index("^") :].startswith("curl")
        assert max(len(code), len(caret)) < 260


def test_json_has_the_agreed_keys() -> None:
    content = json.loads(render(report(), "json"))
    assert content["files"] == 1
    finding = next(f for f in content["findings"] if f["rule"] == "ROC009")
    assert {key: finding[key] for key in ("class", "file", "line", "level")} == {
        "class": "F09",
        "file": "images/Dockerfile",
        "line": 5,
        "level": "error",
    }
    assert finding["message"]
    assert finding["fix"]
    assert finding["fixable"]
    assert [f["waived"] for f in content["waived"]] == ["rotated every night"]


def test_sarif_is_valid_and_keeps_what_is_waived() -> None:
    log = json.loads(render(report(), "sarif"))
    jsonschema.validate(log, json.loads(SCHEMA.read_text()))
    results = log["runs"][0]["results"]
    assert len(results) == len(report().findings) + 1
    waived = next(result for result in results if result["ruleId"] == "ROC053")
    assert waived["suppressions"][0]["justification"] == "rotated every night"


def test_github_annotations_are_one_line_each_and_escaped() -> None:
    lines = render(report(), "github").splitlines()
    assert len(lines) == len(report().findings)
    assert any(line.startswith("::error file=images/Dockerfile,line=5,") for line in lines)
    assert "%2C" in render(report(name="a,b"), "github")


def test_markdown_has_a_head_a_row_for_each_finding_and_errors_first() -> None:
    head, _, *rows = render(report(), "markdown").strip().splitlines()
    assert head == f"Errors: {render(report(), 'text').splitlines()[-1]}"
    assert len(rows) == len(report().findings) + 2
    levels = [row.split(" | ")[1] for row in rows[2:]]
    assert levels == sorted(levels, key=["error", "warning", "note"].index)


def test_markdown_shows_foreign_text_as_text() -> None:
    shown = render(report(name="a|b<img>[x](y)\n"), "markdown")
    assert "<img>" not in shown
    assert "a\\|b&lt;img\\>\\[x\\]\\(y\\)" in shown


def test_an_empty_report() -> None:
    empty = report('FROM scratch\nCMD ["/app"]\n')
    assert render(empty, "text") == "1 file: 0 errors, 0 warnings, 0 notes"
    assert render(empty, "github") == ""
    assert render(empty, "markdown") == "No errors: 1 file: 0 errors, 0 warnings, 0 notes\n"
    assert json.loads(render(empty, "json")) == {"findings": [], "waived": [], "files": 1}


def test_explain_shows_both_examples() -> None:
    rule = all_rules()["ROC009"]
    text = "\n".join(explain(rule))
    assert all(line in text for example in (rule.bad, rule.good) for line in example.splitlines())
    assert rule.case in text
