"""Lists that anybody who may push can write: of what is attached to an image, and under which tags things lie."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from release.conftest import repository
from release.test_misbehaving import send, serving
from release.world import World
from rocmimg.checks import suites
from rocmimg.errors import RegistryError
from rocmimg.registry import Manifest
from rocmimg.registry.types import OCI_INDEX, OCI_MANIFEST
from rocmimg.release import prune, records


@pytest.fixture
def world(tmp_path: Path, registry: str, monkeypatch: pytest.MonkeyPatch) -> World:
    """v2 is out, and the candidate of v1 is old and was never released."""
    known = suites.listed()
    monkeypatch.setattr(suites, "listed", lambda _folder=None: known)
    world = World(tmp_path, registry)
    world.candidate("v1")
    world.candidate("v2")
    world.write(keep_candidates=1)
    world.promote("v2")
    return world


def _old(world: World) -> list[prune.Removal]:
    release = world.release("v2")
    return [one for one in prune.plan_prune(release, release.policies["app-gfx942"].today) if one.image == "removed"]


def test_a_list_that_names_a_released_image_as_attached_does_not_remove_it(world: World) -> None:
    repo, (first, *_) = world.public, _old(world)
    before = world.names()
    released = repo.manifest("v2-mi30x")
    index = repo.manifest(first.digest.replace(":", "-", 1))
    assert released
    assert index
    forged = {**index.data, "manifests": [*index.data["manifests"], released.descriptor.json()]}
    content = json.dumps(forged).encode()
    repo.put_manifest(first.digest.replace(":", "-", 1), Manifest(media_type=OCI_INDEX, content=content))
    done = prune.remove(world.release("v2"), _old(world))
    assert first.digest in {one.digest for one in done}
    assert world.names() == before
    assert repo.manifest(released.digest)


def test_a_tag_of_a_list_that_names_a_released_image_does_not_remove_it(world: World) -> None:
    repo, (first, *_) = world.public, _old(world)
    before = world.names()
    released = repo.manifest("v2-mi30x")
    assert released
    repo.put_manifest(first.digest.replace(":", "-", 1), released)
    prune.remove(world.release("v2"), _old(world))
    assert world.names() == before
    assert repo.manifest(released.digest)


def _paged(pages: list[tuple[list[dict[str, Any]], str]]) -> Any:
    def answer(handler: Any) -> None:
        number = int(handler.path.rpartition("=")[2]) if "page=" in handler.path else 0
        entries, more = pages[number]
        body = json.dumps({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": entries}).encode()
        link = {"Link": f'</v2/lab/kernels/referrers/x?page={more}>; rel="next"'} if more else {}
        send(handler, body=body, Content_Type=OCI_INDEX, **link)

    return answer


def _entry(letter: str) -> dict[str, Any]:
    return {"mediaType": OCI_MANIFEST, "digest": f"sha256:{letter * 64}", "size": 1, "artifactType": records.CHECKS}


def test_what_is_attached_is_read_to_the_last_page(docker_config: Path) -> None:
    """The newest failure may be on the second one."""
    with serving(_paged([([_entry("a")], "1"), ([_entry("b")], "")])) as (host, _):
        found = repository(host).referrers(f"sha256:{'0' * 64}")
    assert [one.digest[7] for one in found] == ["a", "b"]


def test_pages_of_what_is_attached_that_come_round_again(docker_config: Path) -> None:
    pages = _paged([([_entry("a")], "0")])
    with serving(pages) as (host, seen), pytest.raises(RegistryError, match="pages come round again"):
        repository(host).referrers(f"sha256:{'0' * 64}")
    assert len(seen) <= 4


def test_a_page_of_what_is_attached_that_does_not_come(docker_config: Path) -> None:
    def answer(handler: Any) -> None:
        if "page=" in handler.path:
            send(handler, 404)
        else:
            _paged([([_entry("a")], "1")])(handler)

    with serving(answer) as (host, _), pytest.raises(RegistryError, match="a page of the list does not come"):
        repository(host).referrers(f"sha256:{'0' * 64}")
