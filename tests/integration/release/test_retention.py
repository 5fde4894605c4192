"""``rocmimg prune`` against a real registry."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest

from release.conftest import repository
from release.project import Project, write_matrix
from rocmimg.registry.types import OCI_MANIFEST, Manifest
from rocmimg.release.candidates import tags_of

pytestmark = pytest.mark.engine
CELLS = ("app-gfx942", "app-gfx950")


def day(days_ago: int) -> str:
    return (datetime.now(UTC) - timedelta(days=days_ago)).strftime("%Y%m%d")


def pruned(project: Project, capsys: pytest.CaptureFixture[str], *words: str) -> dict[str, str]:
    capsys.readouterr()
    project.rocmimg("prune", "--json", *words)
    return {row["name"].rpartition(":")[2]: row["image"] for row in json.loads(capsys.readouterr().out)}


def test_old_candidates_go_and_public_names_stay(project: Project, capsys: pytest.CaptureFixture[str]) -> None:
    write_matrix(project.folder, project.host, project.base, keep_candidates=1)
    repo = repository(project.host, "lab/app")
    for version in ("v1", "v2", "v3"):
        project.candidate(version)
        if version != "v2":
            project.release(version)
    before = {tag: repo.digest(tag) for tag in repo.tags()}
    old = {cell: tags_of(cell, list(before))[1:] for cell in CELLS}
    assert [len(tags) for tags in old.values()] == [2, 2]

    plan = pruned(project, capsys)
    assert sorted(plan) == sorted(tag for tags in old.values() for tag in tags)
    assert {tag: repo.digest(tag) for tag in repo.tags()} == before  # nothing without --yes

    assert pruned(project, capsys, "--yes") == plan
    after = {tag: repo.digest(tag) for tag in repo.tags()}
    kept = {tag: digest for tag, digest in before.items() if not tag.startswith("sha256-") and tag not in plan}
    assert kept == {tag: digest for tag, digest in after.items() if not tag.startswith("sha256-")}
    for cell in CELLS:
        released, dropped = old[cell][1], old[cell][0]
        assert plan[released] == "stays"
        assert plan[dropped] == "removed"
        assert repo.manifest(str(before[released])) is not None
        assert repo.manifest(str(before[dropped])) is None
        assert f"sha256-{str(before[dropped])[7:]}" not in after
    project.rocmimg("rollback", "--target", "app")
    assert pruned(project, capsys) == {}


def test_old_dated_tags_go_unless_an_alias_needs_them(project: Project, capsys: pytest.CaptureFixture[str]) -> None:
    write_matrix(project.folder, project.host, project.base, keep_dated_days=30)
    repo = repository(project.host, "lab/app")
    for version in ("a", "b", "c"):
        project.candidate(version)
    digests = {cell: [str(repo.digest(tag)) for tag in reversed(tags_of(cell, repo.tags()))] for cell in CELLS}
    first, second, third = (repo.manifest(digest) for digest in digests["app-gfx942"])
    assert first
    assert second
    assert third
    repo.put_manifest(f"nightly-{day(90)}", first)
    repo.put_manifest(f"nightly-{day(60)}", second)
    repo.put_manifest(f"nightly-{day(10)}", third)
    repo.put_manifest("nightly-20269999", first)
    repo.put_manifest("mi30x-latest", second)
    config, layer = repo.put_blob(b"{}"), repo.put_blob(b"x")
    foreign = {
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "config": {**config.json(), "mediaType": "application/vnd.oci.image.config.v1+json"},
        "layers": [{**layer.json(), "mediaType": "application/vnd.oci.image.layer.v1.tar"}],
    }
    repo.put_manifest(f"foreign-{day(90)}", Manifest(media_type=OCI_MANIFEST, content=json.dumps(foreign).encode()))

    # The first has its candidate's tag and another one, so only the name goes.
    assert pruned(project, capsys, "--yes") == {f"nightly-{day(90)}": "stays"}
    left = repo.tags()
    assert f"nightly-{day(60)}" in left  # an alias names that image
    assert f"nightly-{day(10)}" in left
    assert f"foreign-{day(90)}" in left
    assert "nightly-20269999" in left
    assert f"nightly-{day(90)}" not in left


def test_what_got_a_name_in_the_meantime_stays(project: Project) -> None:
    from rocmimg.matrix import load
    from rocmimg.release.promote import open_release
    from rocmimg.release.prune import plan_prune, remove

    write_matrix(project.folder, project.host, project.base, keep_candidates=1)
    for version in ("v1", "v2"):
        project.candidate(version)
    release = open_release(load(project.folder / "images.yaml"), CELLS, lambda _: None, suite=False)
    removals = plan_prune(release, datetime.now(UTC).date())
    assert {removal.image for removal in removals} == {"removed"}
    repo = repository(project.host, "lab/app")
    saved = repo.manifest(removals[0].digest)
    assert saved
    repo.put_manifest("mi30x-latest", saved)
    remove(release, removals)
    assert repo.digest("mi30x-latest") == removals[0].digest
    assert repo.manifest(removals[1].digest) is None
