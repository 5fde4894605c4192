"""Candidates, the gate, promotion and its way back, against a real engine and a real registry."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
import trustme

from release.conftest import repository
from release.project import Project, remove_images, suite, write_matrix
from release.registries import Fault, FaultyProxy, TokenServer, docker_login, running, small_disk
from rocmimg.errors import (
    BuildError,
    DiskFullError,
    GateRefused,
    NotProven,
    RegistryDenied,
    RegistryError,
    TagTaken,
)
from rocmimg.registry.client import Repository

pytestmark = pytest.mark.engine
Capture = pytest.CaptureFixture[str]


def public(project: Project) -> Repository:
    return repository(project.host, "lab/app")


def names(project: Project) -> dict[str, str | None]:
    repo = public(project)
    return {tag: repo.digest(tag) for tag in repo.tags() if not tag.startswith(("candidate-", "sha256-"))}


def test_a_release_from_candidate_to_alias_and_back(project: Project, capsys: Capture) -> None:
    project.candidate("v1")
    assert names(project) == {}
    project.release("v1")
    first = names(project)
    assert sorted(first) == ["mi30x-latest", "mi35x-latest", "v1-mi30x", "v1-mi35x"]
    assert first["mi30x-latest"] == first["v1-mi30x"] != first["v1-mi35x"]
    project.release("v1")  # again: nothing to do
    assert names(project) == first

    project.candidate("v2")
    project.release("v2")
    second = names(project)
    assert second["v1-mi30x"] == first["v1-mi30x"]
    assert second["mi30x-latest"] == second["v2-mi30x"] != first["mi30x-latest"]

    capsys.readouterr()
    project.rocmimg("status", "--target", "app", "--json", *project.sets("v2"))
    entries = json.loads(capsys.readouterr().out)
    alias = next(e for e in entries if e["id"] == "app-gfx942" and e["kind"] == "alias")
    assert alias["digest"] == second["mi30x-latest"]
    assert alias["when"]
    assert f"gpu: {len([one for one in suite() if one.tier == 'gpu'])} passed on AMD Instinct MI300X" in alias["proofs"]
    project.rocmimg("status", *project.sets("v2"))
    assert "promotion by" in capsys.readouterr().out

    project.rocmimg("rollback", "--target", "app", "--dry-run")
    assert names(project) == second
    project.rocmimg("rollback", "--target", "app")
    back = names(project)
    assert back["mi30x-latest"] == first["mi30x-latest"]
    assert back["mi35x-latest"] == first["mi35x-latest"]
    assert back["v2-mi30x"] == second["v2-mi30x"]
    project.rocmimg("rollback", "--target", "app", code=GateRefused.exit_code)
    assert "nothing to go back to" in capsys.readouterr().err


def test_one_cell_without_its_proof_keeps_the_whole_release_back(project: Project, capsys: Capture) -> None:
    project.build()
    project.check()
    project.check(cells=("app-gfx950",), gpu="not-run")
    project.rocmimg("push", "--candidate", "--target", "app")
    capsys.readouterr()
    project.release("v1", code=GateRefused.exit_code)
    said = capsys.readouterr().err
    assert "app-gfx950 is not proven" in said
    assert "checks not run: not-run on purpose" in said
    assert "--override gpu=REASON" in said
    assert names(project) == {}

    project.release("v1", "--override", "gpu=no MI355X this week")
    assert len(names(project)) == 4
    project.rocmimg("status", "app-gfx950")
    assert "gpu: overridden: no MI355X this week" in capsys.readouterr().out
    project.rocmimg("status", "app-gfx942")
    assert "overridden" not in capsys.readouterr().out


def test_a_failed_check_cannot_be_overridden(project: Project, capsys: Capture) -> None:
    project.build()
    project.check(**{"import": "failed"})
    project.rocmimg("push", "--candidate", "--target", "app")
    project.release("v1", "--override", "import=we know", code=GateRefused.exit_code)
    assert "2 of 2 cells cannot be promoted" in capsys.readouterr().err
    assert names(project) == {}


def test_results_that_come_later_and_from_elsewhere(project: Project) -> None:
    project.candidate("v1", proven=False)
    project.release("v1", code=GateRefused.exit_code)
    ids = {cell: project.image_id(cell) for cell in ("app-gfx942", "app-gfx950")}
    remove_images(project.engine, project.host)  # another machine
    project.rocmimg("pull", "--target", "app")
    assert {cell: project.image_id(cell) for cell in ids} == ids
    project.check()
    project.rocmimg("push", "--results", "--target", "app")
    project.rocmimg("push", "--results", "--target", "app")
    project.release("v1")
    assert len(names(project)) == 4


def test_results_of_another_image_prove_nothing(project: Project, capsys: Capture) -> None:
    project.build()
    project.check()
    project.build(*project.sets("v2"))
    project.rocmimg("push", "--candidate", "--target", "app", *project.sets("v2"))
    project.release("v2", code=GateRefused.exit_code)
    assert "not run on this digest" in capsys.readouterr().err
    project.rocmimg("push", "--results", "app-gfx942", code=NotProven.exit_code)
    assert "no candidate of app-gfx942 is the image that was checked" in capsys.readouterr().err


def test_what_is_pushed_is_what_images_yaml_says(project: Project, capsys: Capture) -> None:
    project.rocmimg("push", "--candidate", "app-gfx942", code=BuildError.exit_code)
    project.build()
    project.rocmimg("push", "--candidate", "app-gfx942", "--set", "env.RELEASE=v9", code=BuildError.exit_code)
    assert "built from something else" in capsys.readouterr().err
    project.rocmimg("push", "--candidate", "--target", "app")
    project.release("v9", code=GateRefused.exit_code)
    assert "no candidate that fits images.yaml" in capsys.readouterr().err


def test_an_immutable_tag_is_never_overwritten(project: Project, capsys: Capture) -> None:
    project.candidate("v1")
    project.release("v1")
    before = names(project)
    changed = ("--set", "env.RELEASE=again")
    project.build(*changed)
    project.check()
    project.rocmimg("push", "--candidate", "--target", "app", *changed)
    project.rocmimg("promote", "--target", "app", *changed, code=TagTaken.exit_code)
    assert "names another image" in capsys.readouterr().err
    assert names(project) == before


def test_the_same_candidate_is_pushed_once(project: Project, capsys: Capture) -> None:
    project.candidate("v1")
    capsys.readouterr()
    project.rocmimg("push", "--candidate", "--target", "app", "--json")
    pushed = json.loads(capsys.readouterr().out)
    assert [(p["new"], p["attached"]) for p in pushed] == [(False, []), (False, [])]


def test_candidates_in_a_repository_of_their_own(project: Project) -> None:
    write_matrix(project.folder, project.host, project.base, candidate_repository=f"{project.host}/lab/candidates")
    project.candidate("v1")
    assert public(project).tags() == []
    project.release("v1")
    assert sorted(names(project)) == ["mi30x-latest", "mi35x-latest", "v1-mi30x", "v1-mi35x"]
    kinds = {entry.artifact_type for entry in public(project).referrers(str(names(project)["v1-mi30x"]))}
    assert kinds == {
        "application/vnd.in-toto+json",
        "application/vnd.rocmimg.checks.v2+json",
        "application/vnd.rocmimg.outcome.v1+json",
        "application/vnd.rocmimg.promotion.v2+json",
    }
    project.engine.pull(f"{project.host}/lab/app:mi30x-latest", lambda _: None)


@pytest.mark.parametrize(
    ("path", "after"),
    [("v1-mi35x", False), ("mi35x-latest", True), ("mi30x-latest", False)],
    ids=["tag", "lost", "alias"],
)
def test_what_breaks_in_the_middle_leaves_the_names_as_they_were(
    project: Project,
    capsys: Capture,
    path: str,
    after: bool,
) -> None:
    with FaultyProxy(project.host).running() as proxy:
        write_matrix(project.folder, proxy.host, project.base)
        project.host = proxy.host
        project.candidate("v1")
        project.release("v1")
        before = names(project)
        project.candidate("v2")
        path = path.replace("v1", "v2")
        proxy.faults.append(Fault("PUT", f"manifests/{path}", times=6, status=500, after=after))
        project.release("v2", code=RegistryError.exit_code)
        assert "every name is what it was" in capsys.readouterr().err
        assert names(project) == before
        project.release("v2")
        assert len(names(project)) == 6
        remove_images(project.engine, proxy.host)


def test_uploads_of_layers_that_are_cut_off_are_repeated(project: Project) -> None:
    with FaultyProxy(project.host).running() as proxy:
        write_matrix(project.folder, proxy.host, project.base)
        project.host = proxy.host
        project.build()
        project.check()
        proxy.faults += [
            Fault("PATCH", "uploads", times=2),
            Fault("PUT", "uploads"),
            Fault("PUT", "manifests", status=503),
        ]
        project.rocmimg("push", "--candidate", "--target", "app")
        assert all(fault.hits == fault.times for fault in proxy.faults)
        project.release("v1")
        remove_images(project.engine, proxy.host)


def test_a_push_that_never_succeeds_leaves_no_candidate(project: Project, capsys: Capture) -> None:
    with FaultyProxy(project.host).running() as proxy:
        write_matrix(project.folder, proxy.host, project.base)
        project.host = proxy.host
        project.build()
        proxy.faults.append(Fault("PUT", "manifests", times=1000, status=400))
        project.rocmimg("push", "--candidate", "app-gfx942", code=RegistryError.exit_code)
        assert "cannot push" in capsys.readouterr().err
        assert public(project).tags() == []
        remove_images(project.engine, proxy.host)


@pytest.mark.skipif(not os.environ.get("ROCMIMG_TEST_SLOW"), reason="takes a minute; set ROCMIMG_TEST_SLOW=1")
def test_a_full_disk_of_the_registry(project: Project, tmp_path: Path, docker_config: Path, capsys: Capture) -> None:
    """The engine itself pauses for 50 s in all before it gives up."""
    with small_disk(tmp_path / "disk", "2m") as disk, running(tmp_path / "small", storage=disk) as host:
        write_matrix(project.folder, host, project.base)
        project.host = host
        project.build()
        project.rocmimg("push", "--candidate", "app-gfx942", code=DiskFullError.exit_code)
        assert "free space on the registry's disk" in capsys.readouterr().err
        assert public(project).tags() == []
        remove_images(project.engine, host)


def test_who_may_not_push_is_told_before_anything_is_sent(
    project: Project,
    tmp_path: Path,
    docker_config: Path,
    capsys: Capture,
) -> None:
    with TokenServer().running() as tokens, running(tmp_path / "closed", token_server=tokens) as host:
        write_matrix(project.folder, host, project.base)
        project.host = host
        project.build()
        project.rocmimg("push", "--candidate", "app-gfx942", code=RegistryDenied.exit_code)
        assert "docker login" in capsys.readouterr().err
        docker_login(docker_config, host, "reader")
        project.rocmimg("push", "--candidate", "app-gfx942", code=RegistryDenied.exit_code)
        assert "may not do this" in capsys.readouterr().err
        docker_login(docker_config, host)
        project.check(cells=("app-gfx942",))
        project.rocmimg("push", "--candidate", "app-gfx942")
        docker_login(docker_config, host, "reader")
        project.rocmimg("status", "app-gfx942")
        docker_login(docker_config, host)
        project.check(cells=("app-gfx950",))
        project.rocmimg("push", "--candidate", "app-gfx950")
        docker_login(docker_config, host, "reader")
        project.release("v1", code=RegistryDenied.exit_code)
        docker_login(docker_config, host)
        project.release("v1")
        assert len(names(project)) == 4
        remove_images(project.engine, host)


def test_with_passwords_and_tls(
    project: Project, tmp_path: Path, docker_config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "ca.pem"))
    with running(tmp_path / "closed", password=True, authority=authority) as host:
        docker_login(docker_config, host)
        write_matrix(project.folder, host, project.base)
        project.host = host
        project.candidate("v1")
        project.release("v1")
        assert len(names(project)) == 4
        remove_images(project.engine, host)


def test_a_killed_promotion_is_finished_by_the_next(project: Project) -> None:
    with FaultyProxy(project.host).running() as proxy:
        write_matrix(project.folder, proxy.host, project.base)
        project.host = proxy.host
        project.candidate("v1")
        proxy.delay_s = 0.05
        command = [sys.executable, "-m", "rocmimg", "promote", "--target", "app", *project.sets("v1")]
        with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
            while not any(line.startswith("PUT") and "manifests/v1-" in line for line in proxy.seen):
                assert process.poll() is None
                time.sleep(0.01)
            process.kill()
        proxy.delay_s = 0
        assert len(names(project)) < 4
        project.release("v1")
        assert sorted(names(project)) == ["mi30x-latest", "mi35x-latest", "v1-mi30x", "v1-mi35x"]
        remove_images(project.engine, proxy.host)


def test_an_alias_that_somebody_moved_by_hand_is_seen(project: Project, capsys: Capture) -> None:
    project.candidate("v1")
    project.release("v1")
    repo = public(project)
    other = repo.manifest("v1-mi35x")
    assert other
    repo.put_manifest("mi30x-latest", other)
    capsys.readouterr()
    project.rocmimg("status", "app-gfx942", "--json")
    alias = next(entry for entry in json.loads(capsys.readouterr().out) if entry["kind"] == "alias")
    assert alias["who"] == "not by rocmimg"
    project.rocmimg("rollback", "--target", "app", code=GateRefused.exit_code)
    assert "no record says what it named before" in capsys.readouterr().err
    project.release("v1")
    assert names(project)["mi30x-latest"] == names(project)["v1-mi30x"]
