from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from rocmimg.cli.doctor import command
from rocmimg.engine.client import Engine
from rocmimg.errors import NetworkError

from .conftest import Started


def test_each_check_says_how_it_went(started: Started, engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", started.url)
    result = CliRunner().invoke(command, ["--json"])
    found = {one["id"]: one for one in json.loads(result.stdout)}
    reaches = "ok" in (found["network default"]["status"], found["network host"]["status"])
    assert result.exit_code == (0 if reaches else NetworkError.exit_code), result.stdout
    for name in ("engine", "api", "storage", "build", "container"):
        assert found[name]["status"] == "ok", found[name]
    assert found["disk"]["status"] in {"ok", "problem", "not run"}
    assert found["network host"]["status"] in {"ok", "problem"}
    for one in found.values():
        assert one["detail"]
        assert one["next_step"] or one["status"] != "problem"
    assert not any("rocmimg-doctor" in tag for image in engine.images() for tag in image.tags)


def test_an_engine_without_network_is_told_so(started: Started, monkeypatch: pytest.MonkeyPatch) -> None:
    if started.pid is None:
        pytest.skip("this engine may have a network")
    monkeypatch.setenv("DOCKER_HOST", started.url)
    result = CliRunner().invoke(command, ["--json"])
    found = {one["id"]: one for one in json.loads(result.stdout)}
    assert found["network host"]["status"] == "problem"
    assert result.exit_code == NetworkError.exit_code
    assert found["container"]["status"] == "ok"


def test_without_an_engine_the_exit_code_is_the_engines(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/no.sock")
    result = CliRunner().invoke(command, ["--json"])
    found = {one["id"]: one for one in json.loads(result.stdout)}
    assert result.exit_code == 5
    assert found["engine"]["status"] == "problem"
    assert found["build"]["status"] == "not run"
