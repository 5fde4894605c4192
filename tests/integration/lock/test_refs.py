"""Refs that no lock pins: a branch that moved is found, and the commit is in the digest."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lock.conftest import commit, git
from rocmimg.lock.refs import resolve_refs, used_refs
from rocmimg.matrix import load
from rocmimg.plan import make_plan

MATRIX = """
    targets:
      t:
        gpu_archs: [gfx942]
        base: rocmimg/lab-base:dev
        image: rocmimg-test/refs
        network: {{git_mirrors: {{"https://code.invalid/": "file://{folder}/"}}, engine_mode: host}}
        components:
          app: {{uses: none, repo: https://code.invalid/app, ref: main}}
"""


@pytest.fixture
def app(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("ROCMIMG_CACHE", str(tmp_path / "cache"))
    folder = tmp_path / "code" / "app"
    folder.mkdir(parents=True)
    git(folder, "init", "-q", "-b", "main")
    commit(folder, "one")
    return folder


@pytest.fixture
def file(tmp_path: Path, app: Path) -> Path:
    components = tmp_path / "templates" / "components"
    components.mkdir(parents=True)
    (components / "none.yaml").write_text("description: nothing is done with it\nsources: [git]\n")
    (components / "none.j2").write_text(
        '{% extends "components/component.j2" %}{% block stage %}{% endblock %}'
        "{% block install %}\nRUN true {{ c.source.ref|sh }}\n{% endblock %}"
    )
    path = tmp_path / "images.yaml"
    path.write_text(MATRIX.format(folder=app.parent))
    return path


def digest(file: Path, *, now: bool) -> tuple[str, list[str]]:
    matrix, notes = resolve_refs(load(file), ["t-gfx942"], now=now)
    return make_plan(matrix, ["t-gfx942"])["t-gfx942"].digest("base"), notes


def test_a_branch_that_moved_changes_the_digest_of_the_next_build_alone(file: Path, app: Path) -> None:
    first, notes = digest(file, now=True)
    assert notes == []
    commit(app, "two")
    assert digest(file, now=False) == (first, []), "a verb that finds what was built goes by what was built"
    second, _ = digest(file, now=True)
    assert second != first
    assert digest(file, now=False) == (second, [])


def test_without_the_repository_a_build_goes_by_what_it_knew(file: Path, app: Path) -> None:
    first, _ = digest(file, now=True)
    app.rename(app.with_name("gone"))
    again, (note,) = digest(file, now=True)
    assert again == first
    assert "was not looked up" in note
    assert "taken as it was before" in note
    assert "images.yaml:" in note


def test_a_ref_that_nobody_knows_stays_its_name(file: Path, app: Path) -> None:
    app.rename(app.with_name("gone"))
    matrix, (note,) = resolve_refs(load(file), ["t-gfx942"], now=True)
    assert "taken by its name" in note
    (used,) = used_refs(matrix, ["t-gfx942"], None)
    assert (used.ref, used.commit, used.origin) == ("main", "", "not looked up")


def test_a_broken_record_is_no_record(file: Path, tmp_path: Path) -> None:
    first, _ = digest(file, now=True)
    (tmp_path / "cache" / "refs.json").write_text('{"https://code.invalid/app": {"main": 5}}')
    assert digest(file, now=False) == (first, [])


@pytest.mark.engine
@pytest.mark.usefixtures("lab")
def test_plan_says_which_and_build_builds_what_moved(project: Callable[[str], Any], file: Path, app: Path) -> None:
    sample = project(file.read_text())
    (planned,) = sample.json("plan")
    one = git(app, "rev-parse", "HEAD")
    assert planned["refs"] == [{"component": "app", "ref": "main", "commit": one, "origin": "looked up"}]
    assert sample.json("build")[0]["status"] == "built"
    assert sample.json("plan")[0]["action"] == "up-to-date"
    two = commit(app, "two")
    (planned,) = sample.json("plan")
    assert (planned["action"], planned["refs"][0]["commit"]) == ("build", two)
    locked = {"version": 1, "git": {"https://code.invalid/app": {"main": {"kind": "branch", "commit": two}}}}
    (sample.folder / "images.lock.yaml").write_text(json.dumps(locked))
    assert json.dumps(sample.json("plan")[0]["refs"]).count("locked") == 1
    (row,) = sample.json("build")
    assert row["status"] == "built"
    assert two in (sample.folder / row["log"]).read_text()
    commit(app, "three")
    assert sample.json("plan")[0]["action"] == "up-to-date", "the lock holds"
