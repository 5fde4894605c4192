"""Promotions and rollbacks that end at any point, and two at once: what the next command makes of it."""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Self

import pytest

from release.world import Killed, World, killed_after
from rocmimg.checks import suites
from rocmimg.errors import GateRefused, RegistryError, RocmimgError, TagTaken
from rocmimg.registry import Reference
from rocmimg.registry.client import Registries, Repository
from rocmimg.registry.transport import Transport
from rocmimg.release import promote, prune, transaction
from rocmimg.release.intent import INTENT, PREFIX, new_intent, pending
from rocmimg.release.retag import TagUpdate
from rocmimg.release.status import status
from rocmimg.release.transaction import TakenOver

Make = Callable[[str], World]


@pytest.fixture
def make(tmp_path: Path, registry: str, monkeypatch: pytest.MonkeyPatch) -> Make:
    """A project of its own in a repository of its own; nobody is waited for."""
    monkeypatch.setattr(transaction, "PATIENCE_S", 0.0)
    known = suites.listed()
    monkeypatch.setattr(suites, "listed", lambda _folder=None: known)

    def world(name: str) -> World:
        folder = tmp_path / name
        folder.mkdir()
        return World(folder, registry, name=f"lab/{name}")

    return world


def released(make: Make, name: str) -> World:
    """v1 is out, v2 is proven."""
    world = make(name)
    world.candidate("v1")
    world.promote("v1")
    world.candidate("v2")
    return world


class Points:
    """The same state of a registry again and again: one for each request after which something ends."""

    def __init__(self, world: World, storage: Path, every: int) -> None:
        self.world = world
        self._storage, self._kept, self._every = storage, storage.with_name("kept"), every
        shutil.copytree(storage, self._kept)

    def __iter__(self) -> Iterator[int]:
        for number in range(0, 1000, self._every):
            shutil.rmtree(self._storage)
            shutil.copytree(self._kept, self._storage)
            yield number
        raise AssertionError("it never ends")


SOME = 1 if os.environ.get("ROCMIMG_TEST_SLOW") else 13
"""ROCMIMG_TEST_SLOW=1 tries every point of every test, which takes some minutes each."""


def every_point(
    points: Points, monkeypatch: pytest.MonkeyPatch, first: Callable[[], None], then: Callable[[], None]
) -> list[str]:
    """Kill ``first`` after a number of requests, run ``then``; which version is out afterwards."""
    outcomes: list[str] = []
    for number in points:
        with killed_after(number, monkeypatch) as sent:
            try:
                first()
            except Killed:
                pass
            else:
                assert len(sent) <= number
                break
        then()
        outcomes.append(points.world.require_whole())
    print(f"{len(outcomes)} points")
    return outcomes


@pytest.fixture
def points(make: Make, tmp_path: Path) -> Callable[[World, int], Points]:
    return lambda world, every: Points(world, tmp_path / "registry" / "data", every)


MakePoints = Callable[[World, int], Points]


def test_a_promotion_killed_anywhere_is_finished_by_the_next(
    make: Make, points: MakePoints, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = released(make, "app")
    outcomes = every_point(points(world, SOME), monkeypatch, lambda: world.promote("v2"), lambda: world.promote("v2"))
    assert len(outcomes) > 80 / SOME
    assert set(outcomes) == {"v2"}


def _settle(world: World) -> None:
    world.release("v2").settle(undo_promotions=True)


def test_a_promotion_killed_anywhere_is_undone_or_left_by_a_rollback(
    make: Make, points: MakePoints, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only what was unfinished: where nothing was, a rollback goes on to roll back, which is not what is looked at."""
    world = released(make, "app")
    outcomes = every_point(
        points(world, SOME),
        monkeypatch,
        lambda: world.promote("v2"),
        lambda: _settle(world),
    )
    assert set(outcomes) == {"v1", "v2"}  # v2 where only the end of a finished promotion was lost
    assert outcomes == sorted(outcomes)


def test_a_rollback_killed_anywhere_is_finished_by_the_next(
    make: Make, points: MakePoints, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = released(make, "app")
    world.promote("v2")
    world.candidate("v3")

    def go_on() -> None:
        world.release("v2").settle()
        assert world.require_whole() in ("v1", "v2")
        world.promote("v3")

    outcomes = every_point(points(world, SOME), monkeypatch, lambda: world.rollback("v2"), go_on)
    assert set(outcomes) == {"v3"}


class Slow:
    """A promotion in a thread of its own that stands still after so many requests, until it is told to go on."""

    def __init__(self, world: World, version: str, requests: int, monkeypatch: pytest.MonkeyPatch) -> None:
        self.error: BaseException | None = None
        self.requests = 0
        self._world, self._version, self._limit = world, version, requests
        self._lock, self._real = threading.Lock(), Transport._send
        self._paused, self._resume = threading.Event(), threading.Event()
        self._patch = monkeypatch
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Self:
        def send(transport: Transport, method: str, url: str, **arguments: Any) -> Any:
            if getattr(transport, "slow", None) is self:
                self._count()
            return self._real(transport, method, url, **arguments)

        self._patch.setattr(Transport, "_send", send)
        self._thread.start()
        assert self._paused.wait(300)
        return self

    def __exit__(self, *_: object) -> None:
        self._resume.set()
        self._thread.join(300)
        assert not self._thread.is_alive()
        self._patch.setattr(Transport, "_send", self._real)

    def _count(self) -> None:
        with self._lock:
            self.requests += 1
            now = self.requests
        if now > self._limit:
            self._paused.set()
            assert self._resume.wait(300)

    def _run(self) -> None:
        try:
            release = self._world.release(self._version)
            release.registries = _Slow(self)
            release.settle()
            promote.promote(release, promote.prepare(release, {}), {})
        except BaseException as error:
            self.error = error
        finally:
            self._paused.set()


class _Slow(Registries):
    def __init__(self, slow: Slow) -> None:
        super().__init__()
        self._slow = slow

    def repository(self, reference: Reference) -> Repository:
        found = super().repository(reference)
        found._transport.slow = self._slow  # type: ignore[attr-defined]
        return found


def test_two_promotions_interleaved_at_every_point(
    make: Make, points: MakePoints, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first stands still after so many requests, a second one of another version runs, then the first goes on.

    Nobody is waited for here, so the second takes over what is a living process's: the hardest case.
    """
    world = released(make, "app")
    world.candidate("v3")
    tried = mixed = 0
    for number in points(world, SOME):
        with Slow(world, "v2", number, monkeypatch) as first:
            try:
                world.promote("v3")
            except RocmimgError:
                assert world.released() <= {"v1", "v2", "v3"}
            else:
                assert world.released() == {"v3"}  # a promotion that ends with 0 leaves a whole release
        if len(world.released()) > 1:
            mixed += 1
            assert first.error, "a mixed release, and both said that all is well"
        world.promote("v3")
        assert world.require_whole() == "v3"
        if first.requests <= number:
            break
        tried += 1
    print(f"{tried} points, {mixed} times mixed until the next command")
    assert tried > 80 / SOME


def test_an_unfinished_promotion_is_shown_and_prune_leaves_its_images_alone(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = released(make, "shown")
    world.write(keep_candidates=1)
    world.candidate("v3")
    with killed_after(10_000, monkeypatch) as sent, monkeypatch.context() as patch:
        real = Transport._send

        def send(self: Transport, method: str, url: str, **arguments: Any) -> Any:
            if method == "PUT" and "manifests/v2-mi35x" in url:
                raise Killed
            if any("manifests/v2-mi30x" in one and one.startswith("PUT") for one in sent):
                raise Killed
            return real(self, method, url, **arguments)

        patch.setattr(Transport, "_send", send)
        with pytest.raises(Killed):
            world.promote("v2")
    assert "v2-mi30x" in world.names()
    (entry,) = (entry for entry in status(world.release("v2")) if entry.kind == "unfinished")
    assert "started: the next promote finishes it" in entry.proofs[0]
    release = world.release("v2")
    (intent,) = pending([world.public], Registries(), release.trust)
    named = {update.after for update in intent.updates}
    removals = prune.plan_prune(release, release.policies["app-gfx942"].today)
    prune.remove(release, removals)
    assert all(world.public.manifest(digest) for digest in named)
    world.promote("v2")
    assert world.require_whole() == "v2"


def test_what_was_promoted_in_the_last_hour_is_not_removed(make: Make) -> None:
    world = released(make, "fresh")
    world.promote("v2")
    world.candidate("v3")
    world.promote("v3")
    first = world.names()["v1-mi30x"]
    for tag in ("v1-mi30x", "v1-mi35x"):
        world.public.untag(tag)
    world.write(keep_candidates=1)
    release = world.release("v3")
    removals = prune.plan_prune(release, release.policies["app-gfx942"].today)
    assert any(one.digest == first and one.image == "removed" for one in removals)
    done = prune.remove(release, removals)
    assert first not in {one.digest for one in done}
    assert world.public.manifest(str(first))


def test_a_second_one_beside_an_announced_one_does_nothing(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both announce themselves at the same moment: each finds the other, and neither moves a name."""
    world = released(make, "both")
    other = world.release("v2")
    intent = new_intent("promotion", ["x"], [_update(world)], [])
    blocked = transaction.Transaction(other.registries, intent, None)
    blocked._write(world.public, "prepared")
    real = pending
    monkeypatch.setattr("rocmimg.release.transaction.settle", lambda *_a, **_k: [])
    monkeypatch.setattr("rocmimg.release.promote.settle", lambda *_a, **_k: [])
    before = world.names()
    with pytest.raises(RegistryError, match=r"another promotion is under way, so this one did nothing"):
        world.promote("v2")
    assert world.names() == before
    assert [one.id for one in real([world.public], Registries(), other.trust)] == [intent.id]


def _update(world: World) -> TagUpdate:
    digest = world.names()["v1-mi30x"]
    return TagUpdate(repository=str(world.public), tag="x", kind="tag", before="", after=str(digest))


def test_a_second_one_waits_while_the_first_goes_on(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    world = released(make, "waits")
    monkeypatch.setattr(transaction, "PATIENCE_S", 3600.0)
    slept: list[float] = []

    intent = new_intent("promotion", ["x"], [_update(world)], [])
    first = transaction.Transaction(world.release("v2").registries, intent, None)
    first._write(world.public, "started")

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        if len(slept) == 3:
            first._forget()

    monkeypatch.setattr("rocmimg.release.transaction.time.sleep", sleep)
    world.promote("v2")
    assert len(slept) == 3
    assert "taken over when it stands still" in world.said[0]
    assert world.require_whole() == "v2"


def test_who_was_taken_over_stops(make: Make) -> None:
    world = released(make, "slow")
    release = world.release("v2")
    intent = new_intent("promotion", ["x"], [_update(world)], [])
    slow = transaction.Transaction(release.registries, intent, None, release.trust)
    slow.begin()
    world.promote("v2")
    with pytest.raises(TakenOver):
        slow.run()
    assert world.require_whole() == "v2"


def test_an_immutable_tag_that_somebody_sets_meanwhile_is_a_collision_for_both(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = released(make, "collision")
    before = world.names()
    other = world.public.manifest("v1-mi30x")
    assert other
    real = Transport._send

    def send(self: Transport, method: str, url: str, **arguments: Any) -> Any:
        if method == "PUT" and url.endswith("manifests/v2-mi35x"):
            with monkeypatch.context() as patch:  # a docker push of somebody else, right after our last look
                patch.setattr(Transport, "_send", real)
                answer = real(self, method, url, **arguments)
                world.public.put_manifest("v2-mi35x", other)
            return answer
        return real(self, method, url, **arguments)

    with monkeypatch.context() as patch:
        patch.setattr(Transport, "_send", send)
        with pytest.raises(TagTaken, match="immutable tag, and somebody else has set it meanwhile"):
            world.promote("v2")
    after = world.names()
    assert after.pop("v2-mi35x") == other.digest  # theirs stays
    assert after == before
    with pytest.raises(TagTaken, match="names another image"):
        world.promote("v2")


def test_an_alias_that_somebody_moves_meanwhile_is_not_overwritten(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    world = released(make, "moved")
    world.candidate("v3")
    release = world.release("v2")
    ready = promote.prepare(release, {})
    world.promote("v3")
    with pytest.raises(RegistryError, match=r"moved by somebody else meanwhile.*every name is what it was"):
        promote.promote(release, ready, {})
    assert world.released() == {"v3"}
    assert not [tag for tag in world.names() if tag.startswith("v2")]


def test_an_intent_that_is_none_stops_everything_and_is_named(make: Make) -> None:
    world = released(make, "junk")
    world.public.put_artifact(f"{PREFIX}junk", INTENT, b'{"not": "an intent"}')
    with pytest.raises(GateRefused, match=rf"{PREFIX}junk says that a promotion is unfinished, and is not believed"):
        world.promote("v2")
    assert world.released() == {"v1"}


def test_a_registry_that_never_deletes_keeps_finished_intents_and_goes_on(
    tmp_path: Path, docker_config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from release.registries import running

    with running(tmp_path / "forever", delete=False) as host:
        world = World(tmp_path, host)
        for version in ("v1", "v2"):
            world.candidate(version)
            world.promote(version)
        assert [tag for tag in world.public.tags() if tag.startswith(PREFIX)]
        assert world.require_whole() == "v2"
        world.rollback("v2")
        assert world.require_whole() == "v1"
