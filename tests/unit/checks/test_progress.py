"""What `rocmimg test` shows while it works."""

import json

from rocmimg.checks import pytest_process
from rocmimg.checks.pytest_process import STARTED, Progress


def test_a_check_that_takes_its_time_is_told_once(tmp_path, monkeypatch):
    now, told = [0.0], []
    monkeypatch.setattr(pytest_process.time, "monotonic", lambda: now[0])
    lines = tmp_path / "results.jsonl"
    progress = Progress(lines, told.append, lambda _: None)
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
    lines.write_text(json.dumps({STARTED: "origin"}) + "\n" + json.dumps({"id": "origin", "status": "passed"}) + "\n")
    progress.look()
    now[0] = 9.0
    progress.look()
    assert told == ["origin"]


def test_how_a_check_ended_is_told_in_whole_lines(tmp_path):
    ended = []
    lines = tmp_path / "results.jsonl"
    announced = json.dumps({"id": "origin", "status": "not-run"}) + "\n"
    lines.write_text(announced + json.dumps({STARTED: "origin"}) + "\n" + json.dumps({"id": "origin"})[:-3])
    progress = Progress(lines, lambda _: None, ended.append)
    progress.look()
    assert ended == []
    lines.write_text(
        announced + json.dumps({STARTED: "origin"}) + "\n" + json.dumps({"id": "origin", "status": "not-run"}) + "\n"
    )
    progress.look()
    assert ended == ["origin not run"]
