"""Builds under a lock, on a real engine: the base is the one that was locked, whatever its tag says today."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from rocmimg.cli import run
from rocmimg.engine import BuildRequest, ContainerSpec
from rocmimg.engine.client import Engine
from rocmimg.errors import LockError

pytestmark = pytest.mark.engine


@pytest.fixture
def moving(registry: str, host_engine: Engine, small_base: str) -> Iterator[str]:
    """A base image in a registry; ``push`` moves its tag."""
    yield f"{registry}/lock/base:1"
    for image in host_engine.images():
        for name in (*image.tags, *image.digests):
            if name.startswith(f"{registry}/"):
                host_engine.remove(name, force=True)


def push(engine: Engine, small_base: str, ref: str, content: str) -> None:
    text = f"FROM {small_base}\nENV CONTENT={content}\n"
    engine.build(BuildRequest(dockerfile=text, tags=(ref,)), lambda _: None)
    engine.push(ref, lambda _: None)
    engine.remove(ref, force=True)


def test_the_locked_base_is_pulled_by_digest(
    moving: str, host_engine: Engine, small_base: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    host = moving.partition("/")[0]
    Path("images.yaml").write_text(
        f"targets:\n  app:\n    gpu_archs: [gfx942]\n    base: {moving}\n    registry: {host}\n    image: lock/app\n"
        "    release: {required_tiers: [image]}\n"
    )
    push(host_engine, small_base, moving, "first")
    assert run(["lock"]) == 0
    push(host_engine, small_base, moving, "second")
    assert run(["build", "--locked"]) == 0
    name = f"{host}/lock/app:dev-app-mi30x"
    image = host_engine.image(name)
    assert image
    assert image.env["CONTENT"] == "first"
    locked = next(
        line.split(": ")[1] for line in Path("images.lock.yaml").read_text().splitlines() if "lock/base" in line
    )
    assert image.labels["org.opencontainers.image.base.digest"] == locked
    with host_engine.run(ContainerSpec(image=name)) as container:
        said = json.loads(container.exec(["cat", "/usr/share/rocmimg/manifest.json"], timeout=20).stdout)
    assert said["base"] == {"name": moving, "digest": locked, "cell": ""}

    assert run(["build", "--locked"]) == 0  # up to date: the same image
    again = host_engine.image(name)
    assert again
    assert again.id == image.id
    assert run(["lock", "--check"]) == 1
    assert run(["lock"]) == 0
    assert run(["build", "--locked"]) == 0
    newer = host_engine.image(name)
    assert newer
    assert newer.env["CONTENT"] == "second"
    assert run(["build", "--locked", "--set", f"base={host}/lock/other:1"]) == LockError.exit_code


def test_a_base_that_no_registry_has_is_locked_by_its_id(
    registry: str,
    host_engine: Engine,
    small_base: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    ref = f"{registry}/lock/only-here:1"

    def make(content: str) -> str:
        text = f"FROM {small_base}\nENV CONTENT={content}\n"
        return host_engine.build(BuildRequest(dockerfile=text, tags=(ref,)), lambda _: None).image_id

    Path("images.yaml").write_text(
        f"targets:\n  app:\n    gpu_archs: [gfx942]\n    base: {ref}\n    registry: {registry}\n    image: lock/local\n"
    )
    try:
        first = make("first")
        assert run(["lock"]) == 0
        assert f"{ref}: {first}" in Path("images.lock.yaml").read_text()
        assert run(["build", "--locked"]) == 0
        make("second")
        assert run(["build", "--locked"]) != 0
        assert "when it was locked" in capsys.readouterr().out
        assert run(["lock", "--check"]) == 1
        assert run(["lock"]) == 0
        assert run(["build", "--locked"]) == 0
    finally:
        for image in host_engine.images():
            for name in image.tags:
                if name.startswith(f"{registry}/lock/"):
                    host_engine.remove(name, force=True)
