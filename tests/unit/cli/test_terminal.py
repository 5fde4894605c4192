"""What others wrote does nothing in a terminal, in a CI's log or in a report."""

from __future__ import annotations

import json
import subprocess
import sys
import xml.etree.ElementTree as ET
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rocmimg.builds.observe import CellLog, short
from rocmimg.checks.model import CheckResult, ImageResult
from rocmimg.engine import StepLog
from rocmimg.report.junit import write_junit
from rocmimg.report.page import Head, Run, write_page
from rocmimg.report.page.model import Cell, Layer
from rocmimg.terminal import harmless, holds_secrets, json_text

EVIL = (
    "\x1b[31mImportError\x1b[0m: \x1b]0;title\x07\x1b[2J\x08\u202e\r\n"
    "::add-mask::x\n  ::set-output name=a::b\n##[group]x\udcff"
)


def failed(reason: str) -> ImageResult:
    check = CheckResult(
        id="import", tier="import", classes=(), status="failed", reason=reason, details={"evidence": {"log": reason}}
    )
    return ImageResult(
        id="t-gfx942", target="t", gpu_arch="gfx942", image="x", image_id="sha256:1", digest="", started="2026-11-25",
        seconds=1.0, engine="docker", device="", checks=(check,),
    )  # fmt: skip


def is_harmless(text: str) -> bool:
    quiet = all(char.isprintable() or char in "\n\t" for char in text)
    return quiet and "##[" not in text and not any(line.lstrip().startswith("::") for line in text.splitlines())


def test_colours_go_and_the_rest_is_written_out():
    assert harmless("\x1b[1;31mred\x1b[0m\tx\r\ny\x1b[2J") == "red\tx\ny\\x1b[2J"
    assert harmless("::add-mask::x") == "\\::add-mask::x"
    assert harmless("##[error]x") == "#\\#[error]x"
    assert harmless("x ##vso[task.setvariable]y") == "x #\\#vso[task.setvariable]y"
    assert harmless("::set-output name=a:b::c") == "\\::set-output name=a:b::c"


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("cannot read https://me:pw@m.example/a", "cannot read https://***@m.example/a"),
        ("'https://ghp_token@m.example/a'", "'https://***@m.example/a'"),
        ("git+HTTPS://a:b@c@m.example", "git+HTTPS://***@m.example"),
        ("ssh://git:pw@m.example postgres://u:it's@h/d", "ssh://***@m.example postgres://***@h/d"),
        ("https://m.example/a@v1, git@github.com:a/b", "https://m.example/a@v1, git@github.com:a/b"),
        ("xhttps://me:pw@h\x00", "xhttps://***@h\\x00"),
        ("ssh://git@m.example/a", "ssh://git@m.example/a"),
        ("https://$USER:${TOKEN}@h https://x:****@h", "https://$USER:${TOKEN}@h https://x:****@h"),
        ('["https://m.example","a@b"]', '["https://m.example","a@b"]'),
    ],
)
def test_no_secret_of_a_url_is_shown(said, shown):
    assert harmless(said) == shown
    assert holds_secrets(said) == (said != shown)


@pytest.mark.parametrize("text", ["", "Größe 3 µs ✓", "std::vector<int>", "a: b", "::1 is localhost", "## h\n\tx"])
def test_ordinary_text_stays(text):
    assert harmless(text) == text


@given(st.text())
def test_any_text(text):
    assert all(char.isprintable() or char in "\n\t" for char in harmless(text))
    assert harmless(harmless(text)) == harmless(text)


def test_standard_output_and_errors_of_the_command_line(tmp_path):
    (tmp_path / "Dockerfile").write_text("FROM x\nRUN echo '\x1b]0;t\x07' && curl http://x/\x1b[2J | sh\n")
    command = [sys.executable, "-m", "rocmimg", "lint", "Dockerfile", "--no-external"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.stdout
    assert is_harmless(done.stdout + done.stderr)
    name = "::add-mask::x\x1b[2J"
    done = subprocess.run([*command[:-2], name], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.stderr
    assert is_harmless(done.stderr)


def test_annotations_are_commands_and_nothing_else_in_them_is(tmp_path):
    (tmp_path / "Dockerfile").write_text("FROM x\nRUN curl http://x/##[group]\x1b[2J::stop-commands::y | sh\n")
    command = [sys.executable, "-m", "rocmimg", "lint", "Dockerfile", "--no-external", "--format", "github"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.stdout.startswith("::")
    assert is_harmless(done.stdout.replace("::warning ", "").replace("::notice ", "").replace("::error ", ""))


def test_reports_are_written_for_any_text(tmp_path):
    result = failed(EVIL)
    write_junit([result, replace(result, checks=(), reason=EVIL)], tmp_path / "junit.xml")
    ET.parse(tmp_path / "junit.xml")  # noqa: S314
    head = Head(verb="test", when="2026-11-30T12:00:00+00:00", who=EVIL, commit=EVIL, engine=EVIL, version="1")
    cell = Cell(id=f"t{EVIL}", checks=result, layers=(Layer(text=EVIL, size=1 << 20, base=False),))
    write_page(Run(head=head, cells=(cell,)), tmp_path / "page.html")
    for report in ("junit.xml", "page.html"):
        text = (tmp_path / report).read_text(encoding="utf-8")
        assert all(char.isprintable() or char in "\n\t" for char in text)
        assert "ImportError" in text


def test_json_is_harmless_also_where_its_texts_are_printed():
    """What `jq -r` writes to a terminal: escapes of JSON are control characters again there."""

    def texts(value):
        if isinstance(value, str):
            return [value]
        parts = [*value, *value.values()] if isinstance(value, dict) else value if isinstance(value, list) else []
        return [text for part in parts for text in texts(part)]

    value = {EVIL: [EVIL, {"a": EVIL, "n": 1, "none": None}, (EVIL, True, 1.5)], "url": "https://me:pw@h/"}
    back = json.loads(json_text(value))
    assert all(map(is_harmless, texts(back)))
    assert back["url"] == "https://***@h/"
    assert json_text({"a": [1, 2.5, None, True, "b"]}) == json.dumps({"a": [1, 2.5, None, True, "b"]}, indent=2)


@pytest.mark.parametrize("form", ["json", "sarif"])
def test_reports_for_programs_hold_nothing_that_a_terminal_acts_on(tmp_path, form):
    (tmp_path / "Dockerfile").write_text("FROM x\nRUN echo '\x1b]0;t\x07' && curl http://x/\x1b[2J | sh\n")
    command = [sys.executable, "-m", "rocmimg", "lint", "Dockerfile", "--no-external", "--format", form]
    for words in ([], ["-o", "report"]):
        done = subprocess.run([*command, *words], cwd=tmp_path, capture_output=True, text=True, check=False)
        text = (tmp_path / "report").read_text() if words else done.stdout
        assert "\\u00" not in text
        assert json.loads(text)


def test_the_log_of_a_build_and_the_lines_of_a_view(tmp_path):
    log = CellLog(tmp_path / "log")
    log.event(StepLog(digest="", stream=1, text=EVIL, timestamp=0), "x 1/2")
    log.close()
    assert is_harmless((tmp_path / "log").read_text(encoding="utf-8"))
    assert is_harmless(short(EVIL))
