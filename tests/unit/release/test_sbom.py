"""Bills of materials. The programs here stand in for syft and trivy: what is shown is how they are called."""

from __future__ import annotations

from pathlib import Path

import pytest

from rocmimg.errors import EngineError
from rocmimg.release import sbom
from rocmimg.release.records import CYCLONEDX, SPDX


def program(folder: Path, name: str, text: str) -> None:
    path = folder / name
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)


@pytest.fixture
def tools(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    return folder


def test_without_a_tool_there_is_none(tools: Path, tmp_path: Path) -> None:
    assert sbom.make("sha256:1", tmp_path / "sbom", "app") is None
    assert not (tmp_path / "sbom").exists()


@pytest.mark.parametrize(
    ("name", "kind", "arguments", "suffix"),
    [
        ("syft", SPDX, "scan --quiet --output spdx-json docker:sha256:1", "spdx"),
        ("trivy", CYCLONEDX, "image --quiet --format cyclonedx --image-src docker sha256:1", "cdx"),
    ],
)
def test_what_the_tool_prints_is_kept(
    tools: Path, tmp_path: Path, name: str, kind: str, arguments: str, suffix: str
) -> None:
    program(tools, name, 'echo "$*"')
    assert sbom.make("sha256:1", tmp_path / "sbom", "app") == (kind, f"{arguments}\n".encode())
    assert (tmp_path / f"sbom/app.{suffix}.json").read_text() == f"{arguments}\n"


def test_a_tool_that_fails_is_named(tools: Path, tmp_path: Path) -> None:
    program(tools, "syft", "echo no such image >&2; exit 1")
    with pytest.raises(EngineError, match="syft fails on app; no such image"):
        sbom.make("sha256:1", tmp_path / "sbom", "app")
