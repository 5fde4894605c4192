"""Fixtures around a real registry."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from release.project import project
from release.registries import FaultyProxy, running
from rocmimg.registry import http, parse
from rocmimg.registry.client import Registries, Repository

__all__ = ["project"]


@pytest.fixture(autouse=True)
def _no_long_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "BACKOFF_S", 0.01)


@pytest.fixture
def docker_config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty docker configuration of our own."""
    folder = tmp_path / "docker-config"
    folder.mkdir()
    monkeypatch.setenv("DOCKER_CONFIG", str(folder))
    return folder


@pytest.fixture
def registry(tmp_path: Path, docker_config: Path) -> Iterator[str]:
    """An open registry; its host."""
    with running(tmp_path / "registry") as host:
        yield host


@pytest.fixture
def proxy(registry: str) -> Iterator[FaultyProxy]:
    """The same registry, behind faults to come."""
    with FaultyProxy(registry).running() as faulty:
        yield faulty


def repository(host: str, name: str = "lab/kernels") -> Repository:
    return Registries().repository(parse(f"{host}/{name}"))
