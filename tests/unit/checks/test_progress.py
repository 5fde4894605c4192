"""What `rocmimg test` shows while it works."""

import io
import json

from rich.console import Console
from test_judging import check, image

from rocmimg.checks import pytest_process
from rocmimg.checks.pytest_process import STARTED, Progress
from rocmimg.report.progress import LiveView, PlainView


def test_a_check_that_takes_its_time_is_told_once(tmp_path, monkeypatch):
    now, told = [0.0], []
    monkeypatch.setattr(pytest_process.time, "monotonic", lambda: now[0])
    lines = tmp_path / "results.jsonl"
    progress = Progress(lines, told.append)
    progress.look()  # nothing is written yet
    lines.write_text(json.dumps({STARTED: "origin"}) + "\n" + '{"half a li')
    progress.look()
    now[0] = 0.5
    progress.look()
    assert told == []
    now[0] = 2.0
    progress.look()
    progress.look()
    assert told == ["origin"]
    lines.write_text(json.dumps({STARTED: "origin"}) + "\n" + json.dumps({"id": "origin"}) + "\n")
    progress.look()
    now[0] = 9.0
    progress.look()
    assert told == ["origin"]


def test_plain_lines_are_told_once_each(capsys):
    view = PlainView()
    for what in ("pulling", "Downloading 1 of 9 MB", "Downloading 2 of 9 MB", "reading the image", "reading the image"):
        view.step("a:1", what)
    view.finished(image(check("passed"), id="a:1"))
    assert capsys.readouterr().err.splitlines() == [
        "a:1: pulling", "a:1: Downloading", "a:1: reading the image", "a:1: 1 passed (1.0s)",
    ]  # fmt: skip


def test_the_live_view_has_a_line_per_image():
    view = LiveView()
    view.step("a:1", "aot-hip-rmsnorm")
    view.step("b:1", "reading the image")
    view.finished(image(check("failed"), id="b:1"))
    console = Console(width=100, record=True, file=io.StringIO())
    console.print(view)
    first, second = console.export_text().splitlines()
    assert "a:1" in first and "aot-hip-rmsnorm" in first  # noqa: PT018
    assert "b:1" in second and "1 failed (1.0s)" in second  # noqa: PT018
