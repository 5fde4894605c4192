"""Where public names point, since when, and what proves what they name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, TypedDict

from rocmimg.errors import GateRefused
from rocmimg.plan import ImagePlan
from rocmimg.registry import parse
from rocmimg.registry.client import Repository
from rocmimg.release import records
from rocmimg.release.candidates import labels_of, newest_fitting, plan_of, public_reference, repository_of
from rocmimg.release.intent import Intent, overtaken, pending
from rocmimg.release.past import Content, Move, content, history
from rocmimg.release.policy import Policy
from rocmimg.release.promote import Release, verdicts_of
from rocmimg.release.records import ImageRecords


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One name of one cell."""

    id: str
    kind: Literal["alias", "tag", "candidate", "unfinished"]
    name: str
    digest: str
    """Empty where the name does not exist."""
    when: str = ""
    """When it was promoted; for a candidate, when the image was made."""
    who: str = ""
    proofs: tuple[str, ...] = ()
    """One line for each required tier."""
    overrides: dict[str, str] = field(default_factory=dict)
    states: dict[str, str] = field(default_factory=dict)
    """Required tier -> proven, failed, missing or overridden."""

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def status(release: Release) -> list[Entry]:
    """Aliases, tags and the candidate of each cell, in the plan's order; unfinished promotions first."""
    with ThreadPoolExecutor(8) as pool:
        found = pool.map(lambda image: _of_cell(image, release), release.images)
        entries = [entry for some in found for entry in some]
    return [*_unfinished(release), *entries]


@dataclass(frozen=True, slots=True, kw_only=True)
class Pasts:
    """What came before: of names, and of the images that cells have now."""

    moves: Mapping[str, tuple[Move, ...]]
    """Alias -> how it came to where it is, oldest first."""
    pairs: Mapping[str, tuple[tuple[str, Content], tuple[str, Content]]]
    """Cell -> the image before and the one now, each with a label; a cell without either has none."""


def pasts(release: Release, entries: Sequence[Entry]) -> Pasts:
    """The histories of the aliases among ``entries``, and what each cell's newest image is to be compared with."""
    images = {image.id: image for image in release.images}
    moves: dict[str, tuple[Move, ...]] = {}
    for entry in entries:
        if entry.kind == "alias" and entry.digest:
            public = release.registries.repository(parse(entry.name))
            trust = release.policies[entry.id].trust
            moves[entry.name] = history(str(parse(entry.name)), public, entry.digest, trust)
    pairs = {}
    for cell, image in images.items():
        alias = next((one for one in entries if one.id == cell and one.kind == "alias" and one.digest), None)
        if alias is None:
            continue
        waiting = next((one for one in entries if one.id == cell and one.kind == "candidate" and one.digest), None)
        public, trust = release.registries.repository(parse(alias.name)), release.policies[cell].trust
        if waiting and waiting.digest != alias.digest:
            before = (f"{_version(moves[alias.name], alias.digest)}, released", content(public, alias.digest, trust))
            now = ("candidate", content(repository_of(image, release.registries), waiting.digest, trust))
        else:
            earlier = [move.digest for move in moves[alias.name] if move.digest != alias.digest]
            if not earlier:
                continue
            before = (_version(moves[alias.name], earlier[-1]), content(public, earlier[-1], trust))
            now = (f"{_version(moves[alias.name], alias.digest)}, released", content(public, alias.digest, trust))
        if before[1] and now[1]:
            pairs[cell] = ((before[0], before[1]), (now[0], now[1]))
    return Pasts(moves=moves, pairs=pairs)


def _version(moves: Sequence[Move], digest: str) -> str:
    versions = (move.record.version for move in moves if move.digest == digest and move.record.version)
    return next(versions, digest.removeprefix("sha256:")[:12])


def _unfinished(release: Release) -> list[Entry]:
    return [
        Entry(
            id=" ".join(intent.cells),
            kind="unfinished",
            name=f"{intent.repositories[0]}:{intent.tag}",
            digest="",
            when=intent.when,
            who=f"{intent.kind} by {intent.who}",
            proofs=(_what_follows(intent, release),),
        )
        for intent in pending(release.repositories, release.registries, release.trust)
    ]


def _what_follows(intent: Intent, release: Release) -> str:
    if why := overtaken(intent, release.registries, release.trust):
        return f"{intent.state}: it is older than what happened since, and is not carried out: {why}"
    return f"{intent.state}: the next promote finishes it, the next rollback undoes it"


def _of_cell(image: ImagePlan, release: Release) -> list[Entry]:
    registries, policy = release.registries, release.policies[image.id]
    public = registries.repository(public_reference(image))
    entries = [_public(image, "alias", name, public, policy) for name in image.cell.aliases]
    entries += [_public(image, "tag", name, public, policy) for name in image.cell.tags]
    repository = repository_of(image, registries)
    try:
        candidate = newest_fitting(image, repository)
    except GateRefused:
        return [*entries, Entry(id=image.id, kind="candidate", name="", digest="")]
    entry = Entry(
        id=image.id,
        kind="candidate",
        name=f"{repository}:{candidate.tag}",
        digest=candidate.digest,
        when=str(candidate.config.get("created", "")),
        **_proofs(policy, ImageRecords(repository, candidate.digest, policy.trust), candidate.plan(image), {}),
    )
    return [*entries, entry]


def _public(
    image: ImagePlan, kind: Literal["alias", "tag"], name: str, repository: Repository, policy: Policy
) -> Entry:
    reference = parse(name)
    digest, key = repository.digest(reference.tag), str(reference)
    if digest is None:
        return Entry(id=image.id, kind=kind, name=name, digest="")
    known = ImageRecords(repository, digest, policy.trust)
    mine = [r for r in records.promotions(known) if key in r.aliases or key in r.tags]
    last = mine[-1] if mine else None
    promoted = next((r for r in reversed(mine) if r.kind == "promotion"), None)
    overrides = dict(promoted.overrides) if promoted else {}
    return Entry(
        id=image.id,
        kind=kind,
        name=name,
        digest=digest,
        when=last.when if last else "",
        who=f"{last.kind} by {last.who}" if last else "not by rocmimg",
        **_proofs(policy, known, _plan_of(image, repository, digest), overrides),
        overrides=overrides,
    )


class _Proven(TypedDict):
    proofs: tuple[str, ...]
    states: dict[str, str]


def _proofs(policy: Policy, known: ImageRecords, plan: str, overrides: Mapping[str, str]) -> _Proven:
    verdicts = verdicts_of(policy, known, plan, overrides)
    return {"proofs": tuple(map(str, verdicts)), "states": {one.tier: one.state for one in verdicts}}


def _plan_of(image: ImagePlan, repository: Repository, digest: str) -> str:
    manifest = None if image.prebuilt else repository.manifest(digest)
    return plan_of(image, digest, labels_of(repository, manifest) if manifest else {})
