"""What the tests on a real engine share."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from small import SMALL_BASE, build_small_base

from rocmimg.engine import connect
from rocmimg.engine.client import Engine
from rocmimg.errors import EngineError

ROOT = Path(__file__).parents[2]
LAB = ROOT / "examples/lab/images.yaml"

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # a job in the background of a shell hands that on
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def host_engine() -> Iterator[Engine]:
    """The engine that `rocmimg` itself would use."""
    try:
        engine = connect()
    except EngineError as error:
        pytest.skip(str(error))
    with engine:
        yield engine


@pytest.fixture(scope="session")
def small_base(host_engine: Engine) -> Iterator[str]:
    """The small image on the engine that is here."""
    build_small_base(host_engine)
    yield SMALL_BASE
    host_engine.remove(SMALL_BASE, force=True)


@dataclass(frozen=True)
class Project:
    """A folder with an images.yaml, and `rocmimg` run in it."""

    folder: Path
    file: Path | None = None
    """Its images.yaml, where that lies in another folder."""

    def recipe(self, name: str, text: str, **keys: Any) -> None:
        """A component whose part of the final image is ``text``."""
        components = self.folder / "templates" / "components"
        components.mkdir(parents=True, exist_ok=True)
        described = {"description": name, "sources": ["none"], **keys}
        (components / f"{name}.yaml").write_text(json.dumps(described))
        (components / f"{name}.j2").write_text(
            '{% extends "components/component.j2" %}{% block stage %}{% endblock %}'
            f"{{% block install %}}\n{textwrap.dedent(text)}{{% endblock %}}"
        )

    def run(self, *args: str, **env: str) -> subprocess.CompletedProcess[str]:
        """`rocmimg ARGS`."""
        with self.start(*args, **env) as process:
            out, err = process.communicate(timeout=500)
        return subprocess.CompletedProcess(process.args, process.returncode, out, err)

    def start(self, *args: str, **env: str) -> subprocess.Popen[str]:
        """`rocmimg ARGS`, not waited for."""
        return subprocess.Popen(
            [sys.executable, "-m", "rocmimg", *args],
            cwd=self.folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=os.environ | ({"ROCMIMG_FILE": str(self.file)} if self.file else {}) | env,
        )

    def json(self, *args: str) -> Any:
        """What `rocmimg ARGS --json` prints."""
        done = self.run(*args, "--json")
        assert done.stdout, done.stderr
        return json.loads(done.stdout)


@pytest.fixture
def project(tmp_path: Path, host_engine: Engine) -> Iterator[Callable[[str], Project]]:
    """Make a project from an images.yaml; its images go away with it."""

    def make(text: str) -> Project:
        (tmp_path / "images.yaml").write_text(textwrap.dedent(text))
        return Project(tmp_path)

    yield make
    for image in host_engine.images():
        for tag in image.tags:
            if tag.startswith("rocmimg-test/") and tag != SMALL_BASE:
                host_engine.remove(tag, force=True)


@pytest.fixture(scope="session")
def run_rocmimg() -> Callable[..., subprocess.CompletedProcess[str]]:
    """`rocmimg ARGS` on the lab."""
    return Project(ROOT, LAB).run


@pytest.fixture(scope="session")
def lab(host_engine: Engine) -> dict[str, str]:
    """The lab images, cell id -> image id. They stay: `make demo` builds the same ones."""
    done = Project(ROOT, LAB).run("build", "lab", "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    return {row["id"]: row["image_id"] for row in json.loads(done.stdout)}
