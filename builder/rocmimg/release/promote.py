"""Give proven candidates their public names: all cells of a release, or none."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Final

from rocmimg.errors import GateRefused, RegistryError, RocmimgError, TagTaken
from rocmimg.plan import ImagePlan
from rocmimg.registry import Manifest, parse
from rocmimg.registry.client import Registries, Repository
from rocmimg.release import records
from rocmimg.release.candidates import Candidate, newest_fitting, public_reference, repository_of
from rocmimg.release.gate import Verdict, evaluate, may_pass
from rocmimg.release.records import Promotion
from rocmimg.release.retag import TagUpdate, apply

_AT_ONCE: Final = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Ready:
    """One cell that may be promoted, and what that would change."""

    image: ImagePlan
    candidate: Candidate
    public: Repository
    verdicts: tuple[Verdict, ...]
    tags: tuple[TagUpdate, ...]
    """Immutable tags that do not exist yet."""
    aliases: tuple[TagUpdate, ...]
    """Aliases that name something else."""

    def as_json(self) -> dict[str, Any]:
        return {
            "id": self.image.id,
            "digest": self.candidate.digest,
            "candidate": f"{self.candidate.repository}:{self.candidate.tag}",
            "tags": [str(update) for update in self.tags],
            "aliases": {str(update): update.before.digest if update.before else "" for update in self.aliases},
            "tiers": {verdict.tier: str(verdict) for verdict in self.verdicts},
        }


def prepare(images: Sequence[ImagePlan], registries: Registries, overrides: Mapping[str, str]) -> list[Ready]:
    """Everything that can refuse a promotion, looked at before anything is written.

    ``overrides`` (tier -> reason) stand for proofs that are missing.

    Raises:
        GateRefused: a cell has no fitting candidate, or that lacks proofs; every such cell is named.
        TagTaken: an immutable tag names another image.
        RegistryDenied: these credentials may not write.
        RegistryError: the registry does not answer.
    """
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        outcomes = list(pool.map(lambda image: _attempt(image, registries, overrides), images))
    errors = [outcome for outcome in outcomes if isinstance(outcome, RocmimgError)]
    if len(errors) == 1:
        raise errors[0]
    if errors:
        kinds = {type(error) for error in errors}
        kind = kinds.pop() if len(kinds) == 1 else GateRefused
        raise kind(
            f"{len(errors)} of {len(images)} cells cannot be promoted, so none is",
            why="\n  " + "\n  ".join(map(str, errors)),
        )
    ready = [outcome for outcome in outcomes if isinstance(outcome, Ready)]
    for name in {str(cell.public): cell.public for cell in ready}.values():
        name.require_push()
    return ready


def promote(ready: Sequence[Ready], overrides: Mapping[str, str]) -> None:
    """Copy manifests inside the registry, attach the records, set immutable tags, and move the aliases last.

    Raises:
        RegistryError: something could not be written; names are then what they were.
    """
    for cell in ready:  # one by one: cells share layers, and docker-registry loses one that is mounted twice at once
        _take_over(cell)
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        list(pool.map(lambda cell: _record(cell, overrides), ready))
    apply([update for cell in ready for update in cell.tags] + [update for cell in ready for update in cell.aliases])


def _attempt(image: ImagePlan, registries: Registries, overrides: Mapping[str, str]) -> Ready | RocmimgError:
    try:
        return _ready(image, registries, overrides)
    except RocmimgError as error:
        return error


def _ready(image: ImagePlan, registries: Registries, overrides: Mapping[str, str]) -> Ready:
    repository = repository_of(image, registries)
    public = registries.repository(public_reference(image))
    if public.reference.host != repository.reference.host:
        raise RegistryError(
            f"candidates of {image.id} are in another registry than its public names",
            why="a promotion copies inside one registry, where no layer has to move",
            next_step=f"put release.candidates into {public.reference.host}",
            position=image.cell.position("release", "candidates"),
        )
    candidate = newest_fitting(image, repository)
    results = records.check_results(repository, candidate.digest)
    verdicts = evaluate(image.cell.config.release.requires, results, overrides)
    if not may_pass(verdicts):
        bad = [verdict for verdict in verdicts if verdict.state in ("failed", "missing")]
        missing = [verdict.tier for verdict in bad if verdict.state == "missing"]
        failed = len(missing) < len(bad)
        raise GateRefused(
            f"{image.id} is not proven: {candidate.digest}",
            why="; ".join(map(str, bad)),
            next_step="mend it, build and check again"
            if failed
            else f"run `rocmimg test` where that can be proven and `rocmimg push --results {image.id}`, or pass "
            + " ".join(f"--override {tier}=REASON" for tier in missing),
        )
    return Ready(
        image=image,
        candidate=candidate,
        public=public,
        verdicts=tuple(verdicts),
        tags=tuple(_immutable(image, public, candidate.manifest)),
        aliases=tuple(_moving(image, public, candidate.manifest)),
    )


def _immutable(image: ImagePlan, public: Repository, manifest: Manifest) -> list[TagUpdate]:
    updates = []
    for name in image.cell.tags:
        tag = parse(name).tag
        found = public.digest(tag)
        if found is None:
            updates.append(TagUpdate(repository=public, tag=tag, manifest=manifest, before=None))
        elif found != manifest.digest:
            raise TagTaken(
                f"{name} exists and names another image",
                why=f"it is {found}, the candidate is {manifest.digest}",
                next_step="give the release a new `version`: tags that are no aliases are never overwritten",
                position=image.cell.position("version"),
            )
    return updates


def _moving(image: ImagePlan, public: Repository, manifest: Manifest) -> list[TagUpdate]:
    updates = []
    for name in image.cell.aliases:
        tag = parse(name).tag
        before = public.manifest(tag)
        if before is None or before.digest != manifest.digest:
            updates.append(TagUpdate(repository=public, tag=tag, manifest=manifest, before=before))
    return updates


def _record(cell: Ready, overrides: Mapping[str, str]) -> None:
    if not cell.tags and not cell.aliases:
        return
    record = Promotion(
        kind="promotion",
        cell=cell.image.id,
        version=cell.image.cell.config.version,
        when=records.now(),
        who=records.actor(),
        tags=tuple(str(update) for update in cell.tags),
        aliases={str(update): update.before.digest if update.before else "" for update in cell.aliases},
        tiers={verdict.tier: str(verdict) for verdict in cell.verdicts},
        overrides={v.tier: overrides[v.tier] for v in cell.verdicts if v.state == "overridden"},
    )
    subject = cell.candidate.manifest.descriptor
    records.attach(cell.public, subject, records.PROMOTION, record.as_json(), when=record.when)


def _take_over(cell: Ready) -> None:
    """Bring manifest, layers and proofs into the public repository; nothing is downloaded but the proofs."""
    source, target = cell.candidate.repository, cell.public
    if source.reference == target.reference:
        return
    manifest = cell.candidate.manifest
    parts = [inner for child in manifest.children if (inner := source.manifest(child.digest))] or [manifest]
    blobs = {blob.digest: blob for part in parts for blob in part.blobs}
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        list(pool.map(lambda digest: target.mount(digest, source), blobs))
    for part in dict.fromkeys((*parts, manifest)):
        target.put_manifest(part.digest, part)
    known = {entry.digest for entry in target.referrers(manifest.digest)}
    for entry in source.referrers(manifest.digest):
        if entry.digest not in known and entry.artifact_type != records.PROMOTION:
            data = source.attached(entry)
            when = entry.annotations.get(records.CREATED, "")
            records.attach(target, manifest.descriptor, entry.artifact_type, data, when=when)
