"""Intents of ours, kept as bytes by whoever may push, and put back later: none is carried out a second time."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from release.world import Killed, World
from rocmimg.checks import suites
from rocmimg.errors import GateRefused
from rocmimg.registry import Manifest, parse
from rocmimg.registry.client import Registries, Repository
from rocmimg.registry.transport import Transport
from rocmimg.release import records, transaction
from rocmimg.release.intent import INTENT, PREFIX, State, new_intent
from rocmimg.release.retag import TagUpdate
from rocmimg.release.signing import KEY_VARIABLE, make_key
from rocmimg.release.status import status


@dataclass
class Kept:
    """Every state of every intent that was written, in order."""

    states: list[tuple[str, str, bytes]] = field(default_factory=list)
    """Tag, state, and the bytes."""

    def of(self, state: str, nth: int = -1) -> tuple[str, bytes]:
        tag, _, data = [one for one in self.states if one[1] == state][nth]
        return tag, data


@pytest.fixture
def world(request: pytest.FixtureRequest, tmp_path: Path, registry: str, monkeypatch: pytest.MonkeyPatch) -> World:
    """v1 is out, v2 is proven; signed, unless the test says otherwise."""
    monkeypatch.setattr(transaction, "PATIENCE_S", 0.0)
    known = suites.listed()
    monkeypatch.setattr(suites, "listed", lambda _folder=None: known)
    world = World(tmp_path, registry)
    if getattr(request, "param", "signed") == "signed":
        make_key(tmp_path / "ci")
        monkeypatch.setenv(KEY_VARIABLE, f"file:{tmp_path / 'ci.key'}")
        world.write(signers={"ci": "ci.pub"})
    world.candidate("v1")
    world.promote("v1")
    world.candidate("v2")
    return world


@pytest.fixture
def kept(monkeypatch: pytest.MonkeyPatch) -> Kept:
    found = Kept()
    real = transaction.Transaction._write

    def write(self: transaction.Transaction, repository: Repository, state: State) -> None:
        real(self, repository, state)
        data = repository.artifact(self.intent.tag, INTENT)
        assert data
        found.states.append((self.intent.tag, state, data))

    monkeypatch.setattr(transaction.Transaction, "_write", write)
    return found


def killed_at(world: World, act: Callable[[], None], what: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The process is gone right before the request that ``what`` names."""
    gone = False
    real = Transport._send

    def send(self: Transport, method: str, url: str, **arguments: Any) -> Any:
        nonlocal gone
        gone = gone or f"{method} {url}".endswith(what)
        if gone:
            raise Killed
        return real(self, method, url, **arguments)

    with monkeypatch.context() as patch:
        patch.setattr(Transport, "_send", send)
        with pytest.raises(Killed):
            act()


BOTH = pytest.mark.parametrize("world", ["signed", "unsigned"], indirect=True)


@pytest.mark.parametrize(
    ("world", "state", "next_one"),
    [("signed", "started", "promote"), ("unsigned", "started", "rollback"), ("signed", "prepared", "rollback")],
    indirect=["world"],
)
def test_a_finished_promotion_is_not_carried_out_again(world: World, kept: Kept, state: str, next_one: str) -> None:
    """The names are again what they were before it: without its end on record it would look unfinished."""
    world.promote("v2")
    world.rollback("v2")
    assert world.require_whole() == "v1"
    before = world.names()
    tag, data = kept.of(state, 0)
    world.public.put_artifact(tag, INTENT, data)
    if next_one == "promote":
        world.release("v1").settle()  # what a promote does first
    else:
        with pytest.raises(GateRefused, match="nothing to go back to"):
            world.rollback("v1")
    assert world.names() == before
    assert world.require_whole() == "v1"


def test_a_finished_promotion_is_not_undone_right_after_it(world: World, kept: Kept) -> None:
    """A rollback moves the aliases back; an undone promotion would lose its immutable tags as well."""
    world.promote("v2")
    world.public.put_artifact(*_with_type(kept.of("started", 0)))
    assert not [entry for entry in status(world.release("v2")) if entry.kind == "unfinished"]
    world.rollback("v2")
    assert world.require_whole() == "v1"
    assert {"v2-mi30x", "v2-mi35x"} <= world.names().keys()
    assert any("has ended before" in one for one in world.said)


def _with_type(kept: tuple[str, bytes]) -> tuple[str, str, bytes]:
    return kept[0], INTENT, kept[1]


def _undone(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """v2 is killed while its aliases move, and undone."""
    killed_at(world, lambda: world.promote("v2"), "PUT http://" + f"{world.host}/v2/lab/app/manifests/mi35x-latest",
              monkeypatch)  # fmt: skip
    world.rollback("v2")
    assert world.require_whole() == "v1"


@BOTH
def test_an_undone_promotion_is_not_carried_out_again(
    world: World, kept: Kept, monkeypatch: pytest.MonkeyPatch
) -> None:
    _undone(world, monkeypatch)
    before = world.names()
    world.public.put_artifact(*_with_type(kept.of("started", 0)))
    world.release("v1").settle()
    assert world.names() == before


def test_an_undone_promotion_does_not_undo_the_next_one(
    world: World, kept: Kept, monkeypatch: pytest.MonkeyPatch
) -> None:
    _undone(world, monkeypatch)
    undoing = kept.of("undoing", 0)
    world.promote("v2")
    before = world.names()
    world.public.put_artifact(*_with_type(undoing))
    world.release("v2").settle()
    assert world.names() == before
    assert world.require_whole() == "v2"


def test_a_finished_rollback_is_not_carried_out_again(world: World, kept: Kept) -> None:
    world.promote("v2")
    world.rollback("v2")
    rolling = [one for one in kept.states if one[1] == "started"][-1]
    world.promote("v2")
    before = world.names()
    world.public.put_artifact(*_with_type((rolling[0], rolling[2])))
    world.release("v2").settle()
    assert world.names() == before
    assert world.require_whole() == "v2"


def test_where_its_end_was_removed_what_came_after_it_refuses_it(world: World, kept: Kept) -> None:
    """Whoever may also delete: the record of the rollback that followed is unknown to the old intent."""
    world.promote("v2")
    world.rollback("v2")
    before = world.names()
    for digest in set(before.values()):
        _remove(world.public, digest, records.OUTCOME)
    tag, data = kept.of("started", 0)
    world.public.put_artifact(tag, INTENT, data)
    refused = rf"{PREFIX}\w+ is older than what happened to these names since.*skopeo delete docker://.*{PREFIX}"
    for command in (lambda: world.promote("v1"), lambda: world.rollback("v1")):
        with pytest.raises(GateRefused, match=refused):
            command()
    (entry,) = (entry for entry in status(world.release("v1")) if entry.kind == "unfinished")
    assert "is not carried out" in entry.proofs[0]
    assert world.names() == before


def _remove(repository: Repository, digest: str, kind: str) -> None:
    """What somebody does who may write and delete."""
    tag = digest.replace(":", "-", 1)
    index = repository.manifest(tag)
    assert index
    left = [one for one in index.data["manifests"] if one["artifactType"] != kind]
    content = json.dumps({**index.data, "manifests": left}).encode()
    repository.put_manifest(tag, Manifest(media_type=index.media_type, content=content))
    for entry in index.children:
        if entry.artifact_type == kind:
            repository.delete(entry.digest)


def test_a_promotion_that_is_set_back_to_prepared_is_still_finished(
    world: World, kept: Kept, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An earlier state of the same intent says that nothing moved, when half of the names have."""
    killed_at(world, lambda: world.promote("v2"), "PUT http://" + f"{world.host}/v2/lab/app/manifests/mi35x-latest",
              monkeypatch)  # fmt: skip
    assert len(world.released()) == 2 or world.released() == {"v1"}
    world.public.put_artifact(*_with_type(kept.of("prepared", 0)))
    world.promote("v2")
    assert world.require_whole() == "v2"


def test_an_intent_under_another_tag_is_none(world: World, kept: Kept) -> None:
    world.promote("v2")
    world.rollback("v2")
    before = world.names()
    world.public.put_artifact(f"{PREFIX}{'0' * 32}", INTENT, kept.of("started", 0)[1])
    with pytest.raises(GateRefused, match="is not an intent"):
        world.promote("v1")
    assert world.names() == before


def test_an_intent_in_another_repository_moves_nothing(world: World, kept: Kept) -> None:
    """A target of its own in another repository: the first repository of the intent decides, and has none."""
    world.promote("v2")
    tag, data = kept.of("started", 0)
    other = World(world.folder, world.host, name="lab/other", settings=world.settings)
    other.candidate("v1")
    other.promote("v1")
    before = world.names(), other.names()
    other.public.put_artifact(tag, INTENT, data)
    other.release("v1").settle()
    assert (world.names(), other.names()) == before


def test_the_tag_of_an_intent_that_names_an_image_deletes_none(
    world: World, kept: Kept, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who may push and not delete points the intent's tag to a released image, and waits for the end."""
    released = world.public.manifest("v1-mi30x")
    assert released
    real = transaction.Transaction._write

    def write(self: transaction.Transaction, repository: Repository, state: State) -> None:
        real(self, repository, state)
        if state == "finished":
            repository.put_manifest(self.intent.tag, released)

    monkeypatch.setattr(transaction.Transaction, "_write", write)
    world.promote("v2")
    assert Registries().repository(parse(f"{world.host}/lab/app")).manifest(released.digest)
    assert world.released() == {"v2"}


@pytest.mark.parametrize("world", ["unsigned"], indirect=True)
def test_an_intent_moves_no_name_of_a_repository_that_does_not_have_it(world: World) -> None:
    """Who may push to one repository only, and lets us move the names of another one that we may push to."""
    victim = World(world.folder, world.host, name="lab/zebra")
    victim.candidate("v1")
    victim.promote("v1")
    victim.candidate("v2")
    unproven = next(tag for tag in victim.public.tags() if tag.startswith("candidate-app-gfx942-"))
    before = victim.names()
    world.write()
    updates = [
        TagUpdate(repository=str(world.public), tag="mine", kind="tag", before="",
                  after=str(world.names()["v1-mi30x"])),
        TagUpdate(repository=str(victim.public), tag="mi30x-latest", kind="alias",
                  before=str(before["mi30x-latest"]), after=str(victim.public.digest(unproven))),
    ]  # fmt: skip
    intent = new_intent("promotion", ["x"], updates, [])
    transaction.Transaction(Registries(), intent, None)._write(world.public, "started")
    with pytest.raises(GateRefused, match=r"moves names of \S+lab/zebra, which does not have it"):
        world.promote("v1")
    assert victim.names() == before
