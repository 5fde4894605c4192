"""Engines that answer and cannot do the work: their own reason and the right next step reach whoever asks."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from small import SMALL_BASE, build_small_base

from .conftest import Started, asked, isolated, open_engine

FUSE = "fuse: failed to open /dev/fuse: Permission denied"
MATRIX = f"""
targets:
  app:
    gpu_archs: [gfx942]
    base: {SMALL_BASE}
    command: [ls]
"""


RUNTIME = """#!/bin/sh
while [ $# -gt 0 ]; do [ "$1" != --log ] || echo '{"level": "error", "msg": "no cgroups today"}' >"$2"; shift; done
exit 1
"""
"""A runtime of containers that says why it fails as runc does."""


def program(path: Path, text: str) -> None:
    path.write_text(text)
    path.chmod(0o755)


def rocmimg(started: Started, folder: Path, *words: str) -> tuple[int, str, str]:
    env = os.environ | {"DOCKER_HOST": started.url, "ROCMIMG_CACHE": str(folder / "cache")}
    command = [*started.inside(), sys.executable, "-m", "rocmimg", *words]
    done = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, timeout=300, check=False)
    return done.returncode, done.stdout, done.stderr


@pytest.mark.parametrize("name", asked("podman"))
def test_a_storage_that_cannot_be_mounted_is_told_as_such(name: str, tmp_path: Path) -> None:
    state, folder = tmp_path / "state", tmp_path / "project"
    state.mkdir()
    folder.mkdir()
    program(state / "fuse", f"#!/bin/sh\necho '{FUSE}' >&2\nexit 1\n")
    storage = ("--storage-driver", "overlay", "--storage-opt", "overlay.mount_program={state}/fuse")
    with isolated(name, state, *storage) as started:
        code, out, _ = rocmimg(started, folder, "doctor", "--json")
        found = {one["id"]: one for one in json.loads(out)}
        assert code == 7
        assert FUSE in found["build"]["detail"]
        assert "storage cannot be mounted" in found["build"]["next_step"]
        assert {found[name]["status"] for name in ("container", "network default", "network host")} == {"not run"}
        (folder / "Dockerfile").write_text("FROM scratch\nCOPY Dockerfile /\n")
        (folder / "images.yaml").write_text("targets: {app: {gpu_archs: [gfx942], dockerfile: Dockerfile}}\n")
        code, _, err = rocmimg(started, folder, "build", "app")
        assert code == 7
        assert FUSE in err
        assert FUSE in (folder / "build/report.json").read_text()


@pytest.mark.parametrize("name", asked("docker"))
def test_containers_that_cannot_start_end_with_the_engines_code(name: str, tmp_path: Path) -> None:
    """Builds do not use the engine's default runtime, so they work."""
    state, folder = tmp_path / "state", tmp_path / "project"
    state.mkdir()
    folder.mkdir()
    program(state / "broken", RUNTIME)
    with (
        isolated(name, state, "--add-runtime", "broken={state}/broken", "--default-runtime", "broken") as started,
        open_engine(started) as engine,
    ):
        build_small_base(engine)
        code, out, _ = rocmimg(started, folder, "doctor", "--json")
        found = {one["id"]: one for one in json.loads(out)}
        assert code == 5
        assert (found["build"]["status"], found["container"]["status"]) == ("ok", "problem")
        assert "no cgroups today" in found["container"]["detail"]
        (folder / "images.yaml").write_text(MATRIX)
        assert rocmimg(started, folder, "build", "app")[0] == 0
        code, out, err = rocmimg(started, folder, "test", "app")
        assert code == 5, out + err
        assert "no cgroups today" in err
