"""What a name pointed to and how a candidate differs from the release, read from a real registry, and on the page."""

from __future__ import annotations

from pathlib import Path

import pytest

from release.world import World
from rocmimg.cli import run
from rocmimg.release.status import Pasts, pasts, status

pytestmark = pytest.mark.engine


@pytest.fixture
def world(tmp_path: Path, registry: str) -> World:
    """v1, then v2, then v1 again."""
    made = World(tmp_path, registry)
    for version in ("v1", "v2"):
        made.candidate(version)
        made.promote(version)
    made.rollback("v2")
    return made


def past(world: World, version: str) -> Pasts:
    release = world.release(version)
    return pasts(release, status(release))


def test_what_a_name_pointed_to_and_what_a_candidate_changes(world: World) -> None:
    before = past(world, "v2")
    moves = before.moves[f"{world.host}/lab/app:mi30x-latest"]
    assert [(move.record.kind, move.record.version) for move in moves] == [
        ("promotion", "v1"),
        ("promotion", "v2"),
        ("rollback", ""),
    ]
    assert moves[0].digest == moves[2].digest != moves[1].digest
    assert all("passed" in proof for proof in moves[0].record.tiers.values())
    (released, old), (candidate, new) = before.pairs["app-gfx942"]
    assert (released, candidate) == ("v1, released", "candidate")
    assert (old.digest, new.digest) == (moves[0].digest, moves[1].digest)
    assert not old.layers.keys() & new.layers.keys()
    assert old.pins["base"].startswith("debian:13")

    page = world.folder / "status.html"
    matrix = ("-f", str(world.folder / "images.yaml"), "--set", "version=v2", "--set", "env.RELEASE=v2")
    assert run(["status", *matrix, "--html", str(page)]) == 0
    text = page.read_text(encoding="utf-8")
    for part in ("What the name pointed to", "Size against the last release", "Pins against the last", "rollback"):
        assert part in text
    assert "2 candidates not promoted" in text

    world.promote("v2")
    (earlier, _), (now, _) = past(world, "v2").pairs["app-gfx942"]
    assert (earlier, now) == ("v1", "v2, released")
