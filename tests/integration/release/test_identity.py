"""Images with our labels that are not ours: made FROM one, committed over its tag, pushed by hand."""

from __future__ import annotations

import json
import subprocess

import pytest

from release.conftest import repository
from release.project import Project, remove_images
from rocmimg.engine import BuildRequest
from rocmimg.errors import BuildError, GateRefused, NotProven
from rocmimg.release import records

pytestmark = pytest.mark.engine
Capture = pytest.CaptureFixture[str]


def made_from(project: Project, tag: str) -> None:
    text = f"FROM {tag}\nENV INJECTED=1\n"
    project.engine.build(BuildRequest(dockerfile=text, tags=(tag,)), lambda _: None)


def committed(project: Project, tag: str) -> None:
    with subprocess.Popen(["docker", "create", tag, "true"], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        container = process.stdout.read().strip()
    subprocess.run(["docker", "commit", container, tag], check=True, stdout=subprocess.DEVNULL)
    subprocess.run(["docker", "rm", container], check=True, stdout=subprocess.DEVNULL)


@pytest.mark.parametrize("attack", [made_from, committed])
def test_an_heir_of_our_labels_is_no_build(project: Project, capsys: Capture, attack: object) -> None:
    project.build()
    ours = project.image_id("app-gfx942")
    assert callable(attack)
    attack(project, f"{project.host}/lab/app:v1-mi30x")
    heir = project.image_id("app-gfx942")
    assert heir != ours
    capsys.readouterr()
    project.rocmimg("test", "app-gfx942", code=NotProven.exit_code)
    assert "no build recorded here made this image" in "".join(capsys.readouterr())
    project.rocmimg("push", "--candidate", "app-gfx942", code=BuildError.exit_code)
    assert "no build recorded here made the engine's image of app-gfx942" in capsys.readouterr().err
    project.rocmimg("plan", "--json", "app-gfx942")
    (decision,) = [one for one in json.loads(capsys.readouterr().out) if one["id"] == "app-gfx942"]
    assert decision["action"] == "build"
    project.rocmimg("build", "app-gfx942")
    assert project.image_id("app-gfx942") != heir
    project.check(cells=("app-gfx942",))
    project.rocmimg("push", "--candidate", "app-gfx942")


def test_a_candidate_that_nobody_vouches_for_is_not_pulled(project: Project, capsys: Capture) -> None:
    """Pushed by hand under a candidate's tag: labels and tag are right, there is no provenance."""
    project.candidate("v1")
    repo = repository(project.host, "lab/app")
    tag = next(tag for tag in repo.tags() if tag.startswith("candidate-app-gfx942-"))
    made_from(project, f"{project.host}/lab/app:v1-mi30x")
    stamp = tag.split("-")[3]
    newer = f"{project.host}/lab/app:candidate-app-gfx942-{stamp[:-2]}9Z-ffffffffffff"
    project.engine.tag(project.image_id("app-gfx942"), newer)
    project.engine.push(newer, lambda _: None)
    remove_images(project.engine, project.host)
    capsys.readouterr()
    project.rocmimg("pull", "app-gfx942", code=GateRefused.exit_code)
    assert "no provenance attached to it says that a build of this plan made it" in capsys.readouterr().err
    project.release("v1", code=GateRefused.exit_code)
    assert "origin: failed" in capsys.readouterr().err


def test_what_was_pulled_and_vouched_for_is_up_to_date(
    project: Project, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    project.candidate("v1")
    remove_images(project.engine, project.host)
    monkeypatch.setenv("ROCMIMG_CACHE", str(project.folder / "another-machine"))
    project.rocmimg("pull", "--target", "app")
    capsys.readouterr()
    project.rocmimg("build", "--target", "app", "--json")
    assert [one["status"] for one in json.loads(capsys.readouterr().out)] == ["up-to-date", "up-to-date"]


def test_provenance_names_the_image_and_its_layers(project: Project) -> None:
    project.candidate("v1")
    repo = repository(project.host, "lab/app")
    tag = next(tag for tag in repo.tags() if tag.startswith("candidate-app-gfx942-"))
    (entry,) = (one for one in repo.referrers(str(repo.digest(tag))) if one.artifact_type == records.PROVENANCE)
    found = json.loads(repo.attached(entry))["predicate"]["runDetails"]["byproducts"]
    detail = project.engine.image(project.image_id("app-gfx942"))
    assert detail
    assert found[0] == {"name": "image", "uri": detail.id}
    assert [one["uri"] for one in found[1:]] == list(detail.layers)
