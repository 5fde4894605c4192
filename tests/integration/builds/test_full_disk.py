"""A full or read-only disk for logs, results and reports: the work is done and told, and the exit code says it."""

from __future__ import annotations

import contextlib
import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from release.registries import small_disk

pytestmark = pytest.mark.engine
MATRIX = """
    targets:
      loud:
        gpu_archs: [gfx942]
        base: rocmimg-test/base:1
        image: rocmimg-test/full
        components: {loud: {}}
"""


@contextlib.contextmanager
def _disk(folder: Path, kind: str) -> Iterator[None]:
    """``folder`` on a disk that is full from the beginning, gets full in the middle, or is read-only."""
    with small_disk(folder, "64k"):
        if kind == "full":
            with contextlib.suppress(OSError), (folder / "filler").open("wb", buffering=0) as filler:
                while True:
                    filler.write(b"x" * 512)
        elif kind == "read-only":
            subprocess.run(["mount", "-o", "remount,ro", folder], check=True)
        yield


@pytest.mark.parametrize("kind", ["full", "small", "read-only"])
def test_builds_and_tests_go_on_and_print_their_tables(project, small_base, host_engine, tmp_path, kind):
    sample = project(MATRIX)
    sample.recipe("loud", f"RUN for n in {' '.join(['line'] * 1500)}; do echo $n $n $n $n $n $n; done\n")
    with _disk(tmp_path / "build", kind):
        done = sample.run("build", "--no-cache")
        assert done.returncode == 8, done.stdout + done.stderr
        assert "loud-gfx942  built" in done.stdout
        assert "the log" in done.stderr
        assert "could not be written: " in done.stderr
        assert "defect" not in done.stdout + done.stderr
        if kind == "small":
            return
        reports = [f"--{name}=build/{name}" for name in ("junit", "html", "markdown")]
        done = sample.run("test", "--tier", "image", "--json", *reports, f"--export-kernels={tmp_path}/build/kernels")
        (row,) = json.loads(done.stdout)
        assert row["checks"]
        assert done.returncode in (8, 9)
        for said in ("the log", "the result", "the JUnit file", "the page", "the summary"):
            assert f"{said} " in done.stderr
        assert "Traceback" not in done.stderr
