"""Whoever may push to the registry, and what they cannot make of an unproven image (docs/threat-model.md)."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from release.project import checked, suite
from release.world import CELLS, World
from rocmimg.errors import GateRefused, SigningError
from rocmimg.plan import ImagePlan
from rocmimg.registry import Manifest
from rocmimg.registry.client import Repository
from rocmimg.release import records
from rocmimg.release.candidates import repository_of
from rocmimg.release.intent import PREFIX
from rocmimg.release.records import CHECKS, PROVENANCE, ImageRecords
from rocmimg.release.signing import KEY_VARIABLE, make_key


@pytest.fixture
def world(tmp_path: Path, registry: str) -> World:
    return World(tmp_path, registry)


def pushed(world: World, version: str = "v1", **more: Any) -> list[tuple[ImagePlan, Repository, Manifest, str]]:
    """Candidates of both cells without results."""
    return [(image, *world.put(image, salt=version, **more)) for image in world.release_images(version)]


def refused(world: World, match: str, version: str = "v1", *sets: str) -> None:
    with pytest.raises(GateRefused, match=match):
        world.promote(version, *sets)
    assert world.names() == {}


def attach(repository: Repository, manifest: Manifest, kind: str, data: bytes) -> None:
    records.attach(repository, manifest.descriptor, kind, data)


def attached(repository: Repository, digest: str, kind: str) -> list[bytes]:
    return [repository.attached(entry) for entry in repository.referrers(digest) if entry.artifact_type == kind]


# -- images


def test_an_image_with_our_labels_and_without_provenance_is_not_ours(world: World) -> None:
    """Made FROM a candidate and pushed under a candidate's tag by hand, proven by results of its own."""
    for image, repository, manifest, plan in pushed(world, origin=False):
        world.prove(repository, manifest, image.id, plan)
    refused(world, "origin: failed: no provenance attached to it says that a build of this plan made it")


def test_provenance_of_another_image_or_cell_or_plan_does_not_count(world: World) -> None:
    ours = pushed(world)
    heirs = [(image, *world.put(image, salt="heir", created="2026-11-02T00:00:00Z", origin=False))
             for image in world.release_images("v1")]  # fmt: skip
    for (_, repository, manifest, _), (image, _, heir, plan) in zip(ours, heirs, strict=True):
        (replayed,) = attached(repository, manifest.digest, PROVENANCE)
        attach(repository, heir, PROVENANCE, replayed)
        world.prove(repository, heir, image.id, plan)
    refused(world, "origin: failed: no provenance.*1 attached, about another image")


def test_a_candidate_dated_in_the_future_hides_nothing(world: World) -> None:
    for image in world.release_images("v1"):
        world.put(image, salt="late", created="2099-01-01T00:00:00Z")
    world.candidate("v1")
    world.promote("v1")
    assert world.require_whole() == "v1"


# -- results


def test_results_of_another_plan_or_cell_or_digest_do_not_count(world: World) -> None:
    ours = pushed(world)
    (first, repository, one, plan), (second, _, other, _) = ours
    world.prove(repository, one, first.id, "sha256:another plan")
    known = ImageRecords(repository, other.digest)
    wrong = checked(first.id, other.blobs[0].digest, plan)
    records.attach_result(wrong, known, other, None)
    refused(world, "1 results are of another cell or plan")
    world.prove(repository, one, first.id, plan)
    for data in attached(repository, one.digest, CHECKS):
        attach(repository, other, CHECKS, data)  # replayed
    with pytest.raises(GateRefused, match=rf"{second.id} is not proven.*2 attached, about another image"):
        world.promote("v1")


def test_a_failure_stays_until_a_later_run_passes_whatever_the_clocks_say(world: World) -> None:
    for image, repository, manifest, plan in pushed(world):
        world.prove(repository, manifest, image.id, plan)
        world.prove(repository, manifest, image.id, plan, gpu="failed")
    refused(world, "gpu: failed")
    for image in world.release_images("v1"):
        repository = repository_of(image, world.release("v1").registries)
        (tag,) = (tag for tag in repository.tags() if tag.startswith(f"candidate-{image.id}-"))
        manifest = repository.manifest(tag)
        assert manifest
        (first, *_) = attached(repository, manifest.digest, CHECKS)
        attach(repository, manifest, CHECKS, first)  # an old pass, attached again: it has not seen the failure
        stale = json.loads(first)
        stale["predicate"]["result"]["started"] = "2099-01-01T00:00:00Z"
        attach(repository, manifest, CHECKS, json.dumps(stale).encode())
    refused(world, "gpu: failed")
    for image in world.release_images("v1"):
        repository = repository_of(image, world.release("v1").registries)
        (tag,) = (tag for tag in repository.tags() if tag.startswith(f"candidate-{image.id}-"))
        manifest = repository.manifest(tag)
        assert manifest
        plan = image.digest("sha256:base")
        world.prove(repository, manifest, image.id, plan)
    world.promote("v1")


def test_a_result_that_is_taken_away_is_missed(world: World) -> None:
    for image, repository, manifest, plan in pushed(world):
        world.prove(repository, manifest, image.id, plan, gpu="failed")
        world.prove(repository, manifest, image.id, plan)
        bad = next(e for e in repository.referrers(manifest.digest)
                   if e.artifact_type == CHECKS and b'"failed"' in repository.attached(e))  # fmt: skip
        index = repository.manifest(f"sha256-{manifest.digest[7:]}")
        assert index
        left = {**index.data, "manifests": [m for m in index.data["manifests"] if m["digest"] != bad.digest]}
        repository.put_manifest(
            f"sha256-{manifest.digest[7:]}", Manifest(media_type=index.media_type, content=json.dumps(left).encode())
        )
        repository.delete(bad.digest)
    refused(world, "results: missing: results that were attached before are gone: sha256:")
    world.promote("v1", results="cleaned up by hand")
    assert world.require_whole() == "v1"


def test_a_tier_that_is_left_out_for_a_run_is_still_wanted(world: World) -> None:
    world.candidate("v1", gpu="not-run")
    refused(world, "gpu: required by the file, whatever --set says", "v1", "release.required_tiers=[image]")
    world.promote("v1", "release.required_tiers=[image]", gpu="no GPU this week")
    digest = str(world.names()["v1-mi30x"])
    (record,) = records.promotions(ImageRecords(world.public, digest))
    assert record.requires == ("image", "import", "aot", "gpu")
    assert record.overrides == {"gpu": "no GPU this week"}
    assert record.results


def test_a_waiver_of_a_single_run_waives_nothing(world: World) -> None:
    world.candidate("v1", aot="failed")
    checks = [info.id for info in suite() if info.tier == "aot"]
    waivers = json.dumps([{"check": check, "reason": "please", "until": "2099-01-01"} for check in checks])
    refused(world, "aot: failed", "v1", f"checks.waivers={waivers}")


def test_two_machines_that_attach_at_once_both_stay(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both have read the list before either writes it, as often as it takes to lose one entry each time."""
    ((image, repository, manifest, plan), _) = pushed(world)
    barrier = threading.Barrier(2, timeout=10)
    real = Repository.put_manifest
    met = threading.local()

    def put(self: Repository, ref: str, content: Manifest) -> bool:
        if ref == f"sha256-{manifest.digest[7:]}" and not getattr(met, "once", False):
            met.once = True
            barrier.wait()
        return real(self, ref, content)

    monkeypatch.setattr(Repository, "put_manifest", put)
    threads = [
        threading.Thread(target=world.prove, args=(repository_of(image, world.release("v1").registries),
                                                   manifest, image.id, plan))
        for _ in range(2)
    ]  # fmt: skip
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    found = records.check_results(ImageRecords(repository, manifest.digest))
    assert len({one.result.run for one in found}) == 2
    # Each has a tag of its own before the list is written: the slower one may have seen the other, never both.
    assert sum(bool(one.after) for one in found) <= 1


# -- signatures


@pytest.fixture
def signed(world: World, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """A release that believes `ci` only; sets the key that is used."""
    for name in ("ci", "stranger"):
        make_key(world.folder / name)
    world.write(signers={"ci": "ci.pub"})

    def use(name: str) -> None:
        if name:
            monkeypatch.setenv(KEY_VARIABLE, f"file:{world.folder / name}.key")
        else:
            monkeypatch.delenv(KEY_VARIABLE, raising=False)

    use("ci")
    return use


def test_a_signed_release_from_candidate_to_alias_and_back(world: World, signed: Callable[[str], None]) -> None:
    for version in ("v1", "v2"):
        world.candidate(version)
        world.promote(version)
    assert world.require_whole() == "v2"
    known = ImageRecords(world.public, str(world.names()["v2-mi30x"]), world.release("v2").trust)
    assert {one.signers for one in records.check_results(known)} == {("ci",)}
    world.rollback("v2")
    assert world.require_whole() == "v1"


@pytest.mark.parametrize("who", ["", "stranger"])
def test_without_a_known_key_nothing_is_written(who: str, world: World, signed: Callable[[str], None]) -> None:
    world.candidate("v1")
    signed(who)
    before = world.public.tags()
    with pytest.raises(SigningError):
        world.promote("v1")
    assert world.public.tags() == before


@pytest.mark.parametrize("who", ["", "stranger"])
def test_results_and_provenance_that_nobody_known_signed_prove_nothing(
    who: str, world: World, signed: Callable[[str], None]
) -> None:
    signed(who)
    world.candidate("v1")
    signed("ci")
    refused(world, "1 attached, signed by nobody we know.*origin: failed.*signed by nobody we know")
    refused(world, "1 attached, signed by nobody we know", "v1", "release.signers={}")


def test_a_stranger_can_neither_fail_an_image_nor_block_it(world: World, signed: Callable[[str], None]) -> None:
    made = pushed(world)
    for image, repository, manifest, plan in made:
        world.prove(repository, manifest, image.id, plan)
        signed("stranger")
        world.prove(repository, manifest, image.id, plan, gpu="failed")
        attach(repository, manifest, CHECKS, b"no statement at all")
        signed("ci")
    world.promote("v1")
    assert world.names()


def test_a_signed_result_counts_for_its_own_image_only(world: World, signed: Callable[[str], None]) -> None:
    (first, repository, one, plan), (_, _, other, _) = pushed(world)
    world.prove(repository, one, first.id, plan)
    for data in attached(repository, one.digest, CHECKS):
        attach(repository, other, CHECKS, data)
    refused(world, r"app-gfx950 is not proven.*1 attached, about another image")


def test_a_signed_statement_of_one_kind_is_none_of_another(world: World, signed: Callable[[str], None]) -> None:
    """Provenance handed in as a result, a result as provenance."""
    for image, repository, manifest, plan in pushed(world, origin=False):
        world.prove(repository, manifest, image.id, plan)
        for data in attached(repository, manifest.digest, CHECKS):
            attach(repository, manifest, PROVENANCE, data)
    refused(world, "origin: failed")


def test_a_signature_that_is_stripped_or_altered_proves_nothing(world: World, signed: Callable[[str], None]) -> None:
    for image, repository, manifest, plan in pushed(world):
        world.prove(repository, manifest, image.id, plan, gpu="not-run")
        (data,) = attached(repository, manifest.digest, CHECKS)
        value = json.loads(data)
        attach(repository, manifest, CHECKS, json.dumps({**value, "signatures": []}).encode())
        attach(repository, manifest, CHECKS, json.dumps({**value, "payload": value["payload"][:-8]}).encode())
    refused(world, "gpu: missing")


def test_an_intent_of_a_stranger_is_not_carried_out(world: World, signed: Callable[[str], None]) -> None:
    world.candidate("v1")
    world.promote("v1")
    world.candidate("v2", gpu="not-run")
    before = world.names()
    from rocmimg.registry.client import Registries
    from rocmimg.release.intent import new_intent
    from rocmimg.release.retag import TagUpdate
    from rocmimg.release.signing import signing_key
    from rocmimg.release.transaction import Transaction

    signed("stranger")
    unproven = next(tag for tag in world.public.tags() if tag.startswith(f"candidate-{CELLS[0]}-"))
    update = TagUpdate(repository=str(world.public), tag="mi30x-latest", kind="alias",
                       before=str(before["mi30x-latest"]), after=str(world.public.digest(unproven)))  # fmt: skip
    intent = new_intent("promotion", [CELLS[0]], [update], [])
    Transaction(Registries(), intent, signing_key())._write(world.public, "started")
    signed("ci")
    for command in (lambda: world.promote("v1"), lambda: world.rollback("v1")):
        with pytest.raises(GateRefused, match=rf"{PREFIX}.*not believed; it is signed by nobody in release\.signers"):
            command()
    assert world.names() == before
