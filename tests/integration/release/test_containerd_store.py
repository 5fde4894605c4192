"""The same release from Docker 28 with the containerd store, where an image's id is its manifest's digest."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from engine.conftest import isolated

from release.project import Project, write_matrix
from release.registries import running
from release.test_bake import copy_image
from rocmimg.engine.client import Engine
from rocmimg.engine.endpoint import Endpoint

pytestmark = pytest.mark.engine


def test_a_release(tmp_path: Path, host_engine: Engine, small_base: str, docker_config: Path) -> None:
    state = tmp_path / "engine"
    state.mkdir()
    with (
        isolated("docker28-containerd", state) as started,
        running(tmp_path / "registry", inside=started.inside()) as host,
        Engine(Endpoint(url=started.url, source="test")) as engine,
    ):
        copy_image(host_engine, small_base, engine)
        folder = tmp_path / "project"
        folder.mkdir()
        write_matrix(folder, host, small_base)
        project = Project(folder, engine, host, small_base)

        def rocmimg(*words: str) -> str:
            command = [*started.inside(), sys.executable, "-m", "rocmimg", *words]
            env = os.environ | {"DOCKER_HOST": started.url}
            done = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, check=False)
            assert done.returncode == 0, done.stdout + done.stderr
            return done.stdout

        rocmimg("build", "--target", "app")
        project.check()
        pushed = json.loads(rocmimg("push", "--candidate", "--target", "app", "--json"))
        assert {entry["id"]: entry["attached"] for entry in pushed} == {
            "app-gfx942": ["provenance", "results"],
            "app-gfx950": ["provenance", "results"],
        }
        promoted = json.loads(rocmimg("promote", "--target", "app", "--json"))
        assert [entry["digest"] for entry in promoted] == [entry["digest"] for entry in pushed]
        ids = {cell: project.image_id(cell) for cell in ("app-gfx942", "app-gfx950")}
        for name in [tag for image in engine.images() for tag in image.tags if tag.startswith(host)]:
            engine.remove(name, force=True)
        rocmimg("pull", "--target", "app")
        assert {cell: project.image_id(cell) for cell in ids} == ids
        assert json.loads(rocmimg("push", "--results", "--target", "app", "--json"))[0]["new"] is False
