"""A small matrix whose cells build in a second, on the engine that is here, for a registry on loopback."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from rocmimg.checks.model import CheckInfo, CheckResult, ImageResult, Status
from rocmimg.checks.suites import listed
from rocmimg.cli import run
from rocmimg.engine.client import Engine
from rocmimg.plan import LABEL_CELL, LABEL_DIGEST

SUITE: list[CheckInfo] = []


def suite() -> list[CheckInfo]:
    if not SUITE:
        SUITE.extend(listed())
    return SUITE


def checked(cell: str, image_id: str, plan: str, **tiers: Status) -> ImageResult:
    """What `rocmimg test` says on a machine with a GPU: every check passed but for the tiers that say otherwise."""
    run, device = uuid.uuid4().hex, "AMD Instinct MI300X"
    return ImageResult(
        id=cell,
        target=cell.partition("-")[0],
        gpu_arch=cell.rpartition("-")[2],
        image="",
        image_id=image_id,
        digest=plan,
        run=run,
        started="2026-11-01T00:00:00Z",
        seconds=1,
        engine="docker",
        device=device,
        checks=tuple(
            CheckResult(
                id=info.id,
                tier=info.tier,
                classes=(),
                status=(status := tiers.get(info.tier, "passed")),
                reason="" if status == "passed" else f"{status} on purpose",
                digest=info.digest,
                run=run,
                device=device if info.tier == "gpu" and status != "not-run" else "",
                archs=(cell.rpartition("-")[2],),
            )
            for info in suite()
        ),
    )


@dataclass
class Project:
    """A folder with images.yaml, and what one does in it."""

    folder: Path
    engine: Engine
    host: str
    base: str

    def rocmimg(self, *words: str, code: int = 0) -> None:
        assert run(list(words)) == code, words

    def build(self, *words: str) -> None:
        self.rocmimg("build", "--target", "app", *words)

    def image_id(self, cell: str, version: str = "v1") -> str:
        found = self.engine.image(
            f"{self.host}/lab/app:{version}-{cell.replace('app-gfx942', 'mi30x').replace('app-gfx950', 'mi35x')}"
        )
        assert found
        return found.id

    def check(
        self, version: str = "v1", cells: tuple[str, ...] = ("app-gfx942", "app-gfx950"), **tiers: Status
    ) -> None:
        """Write results as `rocmimg test` does: every tier passed but for those that say otherwise."""
        for cell in cells:
            found = self.engine.image(self.image_id(cell, version))
            assert found
            result = checked(cell, found.id, found.labels[LABEL_DIGEST], **tiers)
            path = self.folder / "build/results" / f"{cell}.json"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps(result.as_json()))

    def candidate(self, version: str = "v1", *, proven: bool = True) -> None:
        """Build, check and push both cells."""
        self.build(*self.sets(version))
        if proven:
            self.check(version)
        self.rocmimg("push", "--candidate", "--target", "app", *self.sets(version))

    @staticmethod
    def sets(version: str) -> tuple[str, ...]:
        return ("--set", f"version={version}", "--set", f"env.RELEASE={version}")

    def release(self, version: str, *words: str, code: int = 0) -> None:
        self.rocmimg("promote", "--target", "app", *self.sets(version), *words, code=code)


@pytest.fixture
def project(
    tmp_path: Path, registry: str, host_engine: Engine, small_base: str, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Project]:
    folder = tmp_path / "project"
    folder.mkdir()
    write_matrix(folder, registry, small_base)
    monkeypatch.chdir(folder)
    yield Project(folder, host_engine, registry, small_base)
    remove_images(host_engine, registry)


def remove_images(engine: Engine, host: str) -> None:
    for image in engine.images():
        for name in (*image.tags, *image.digests):
            if name.startswith(f"{host}/") or image.labels.get(LABEL_CELL, "").startswith("app-gfx9"):
                engine.remove(name, force=True)


def write_matrix(folder: Path, host: str, base: str, **release: Any) -> None:
    (folder / "images.yaml").write_text(
        f"""\
targets:
  app:
    gpu_archs: [gfx942, gfx950]
    base: {base}
    registry: {host}
    image: lab/app
    version: v1
    tags: ["{{version}}-{{alias}}"]
    aliases: ["{{alias}}-latest"]
    env: {{RELEASE: v1}}
    release: {json.dumps(release)}
"""
    )
