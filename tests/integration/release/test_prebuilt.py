"""An image that another pipeline builds: checked, gated, promoted and rolled back as it is, byte for byte."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from release.conftest import repository
from release.project import checked, remove_images
from rocmimg.cli import run
from rocmimg.engine import BuildRequest
from rocmimg.engine.client import Engine

pytestmark = pytest.mark.engine
MATRIX = """\
targets:
  theirs:
    gpu_archs: [gfx942]
    prebuilt: {reference}
    registry: {host}
    image: lab/app
    version: {version}
    tags: ["{{version}}"]
    aliases: [latest]
"""


class Pipeline:
    """The other pipeline, and a project that takes what it pushes."""

    def __init__(self, engine: Engine, host: str, base: str, folder: Path) -> None:
        self.engine, self.host, self.base, self.folder = engine, host, base, folder

    def push(self, tag: str) -> str:
        """Build something, push it, and forget it here; its digest."""
        name = f"{self.host}/theirs/app:{tag}"
        text = f"FROM {self.base}\nENV MADE={tag}\n"
        self.engine.build(BuildRequest(dockerfile=text, tags=(name,)), lambda _: None)
        digest = self.engine.push(name, lambda _: None)
        self.engine.remove(name, force=True)
        return digest

    def name(self, reference: str, version: str) -> None:
        text = MATRIX.format(reference=f"{self.host}/theirs/app{reference}", host=self.host, version=version)
        (self.folder / "images.yaml").write_text(text)

    def prove(self, digest: str) -> None:
        """Results of every tier, as a machine with a GPU writes them."""
        found = self.engine.image(f"{self.host}/theirs/app@{digest}")
        assert found
        path = self.folder / "build/results/theirs-gfx942.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(checked("theirs-gfx942", found.id, digest).as_json()))


@pytest.fixture
def theirs(
    registry: str, host_engine: Engine, small_base: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Pipeline]:
    folder = tmp_path / "project"
    folder.mkdir()
    monkeypatch.chdir(folder)
    yield Pipeline(host_engine, registry, small_base, folder)
    remove_images(host_engine, registry)


def test_it_is_proven_promoted_and_rolled_back_as_it_is(theirs: Pipeline, capfd: pytest.CaptureFixture[str]) -> None:
    first = theirs.push("1")
    theirs.name(":1", "v1")
    assert run(["push", "--candidate"]) == 3
    said = capfd.readouterr().err
    assert "images.yaml:4: " in said
    assert "is named by a tag; what that means can change after the checks; run `rocmimg lock`" in said

    assert run(["lock"]) == 0
    capfd.readouterr()
    assert run(["plan", "--json"]) == 0
    (row,) = json.loads(capfd.readouterr().out)
    assert (row["action"], row["digest"]) == ("build", first)
    assert row["reasons"] == [f"{theirs.host}/theirs/app:1@{first} is to be pulled"]
    assert run(["test", "--tier", "image", "--json"]) in (0, 9)
    (result,) = json.loads(capfd.readouterr().out)
    assert (result["digest"], result["id"]) == (first, "theirs-gfx942")
    answers = {one["id"]: one["status"] for one in result["checks"]}
    declared = {answers[name] for name in ("entry", "labels", "environment")}
    assert (declared, answers["arch-variables"]) == ({"not-applicable"}, "passed")
    assert run(["build"]) == 0

    assert run(["push", "--candidate"]) == 0
    assert run(["promote", "--target", "theirs"]) != 0, "nothing but the image tier was run"
    theirs.prove(first)
    assert run(["push", "--results"]) == 0
    assert run(["promote", "--target", "theirs"]) == 0
    public = repository(theirs.host, "lab/app")
    assert {tag: public.digest(tag) for tag in ("v1", "latest")} == {"v1": first, "latest": first}

    second = theirs.push("2")
    theirs.name(f"@{second}", "v2")
    assert run(["build"]) == 0
    theirs.prove(second)
    assert run(["push", "--candidate"]) == 0
    assert run(["promote", "--target", "theirs"]) == 0
    assert public.digest("latest") == second
    capfd.readouterr()
    assert run(["status", "--json"]) == 0
    entries = {entry["name"].rpartition(":")[2]: entry for entry in json.loads(capfd.readouterr().out)}
    assert entries["latest"]["digest"] == second
    assert entries["latest"]["who"].startswith("promotion by ")
    assert not [proof for proof in entries["latest"]["proofs"] if "failed" in proof or "missing" in proof]
    assert run(["rollback", "--target", "theirs"]) == 0
    assert public.digest("latest") == first


def test_another_registry_is_refused_with_the_way_there(theirs: Pipeline, capfd: pytest.CaptureFixture[str]) -> None:
    theirs.name(f"@sha256:{'0' * 64}", "v1")
    path = theirs.folder / "images.yaml"
    assert run(["push", "--candidate"]) != 0
    assert f"there is no {theirs.host}/theirs/app@sha256:000" in capfd.readouterr().err
    path.write_text(path.read_text().replace(f"registry: {theirs.host}", "registry: reg.example.org/team"))
    assert run(["push", "--candidate"]) != 0
    said = capfd.readouterr().err
    assert "is in another registry than the candidates of theirs-gfx942" in said
    assert "skopeo copy --all --preserve-digests" in said
