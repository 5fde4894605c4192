"""Where public names point, since when, and what proves what they name."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from rocmimg.errors import GateRefused
from rocmimg.plan import LABEL_DIGEST, ImagePlan
from rocmimg.registry import parse
from rocmimg.registry.client import Repository
from rocmimg.release import records
from rocmimg.release.candidates import labels_of, newest_fitting, public_reference, repository_of
from rocmimg.release.policy import Policy
from rocmimg.release.promote import Release, verdicts_of
from rocmimg.release.records import ImageRecords
from rocmimg.release.transaction import pending


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

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def status(release: Release) -> list[Entry]:
    """Aliases, tags and the candidate of each cell, in the plan's order; unfinished promotions first."""
    with ThreadPoolExecutor(8) as pool:
        found = pool.map(lambda image: _of_cell(image, release), release.images)
        entries = [entry for some in found for entry in some]
    return [*_unfinished(release), *entries]


def _unfinished(release: Release) -> list[Entry]:
    return [
        Entry(
            id=" ".join(intent.cells),
            kind="unfinished",
            name=f"{intent.repositories[0]}:{intent.tag}",
            digest="",
            when=intent.when,
            who=f"{intent.kind} by {intent.who}",
            proofs=(f"{intent.state}: the next promote finishes it, the next rollback undoes it",),
        )
        for intent in pending(release.repositories, release.registries, release.trust)
    ]


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
        proofs=_proofs(
            policy, ImageRecords(repository, candidate.digest, policy.trust), candidate.labels.get(LABEL_DIGEST, ""), {}
        ),
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
        proofs=_proofs(policy, known, _plan_of(repository, digest), overrides),
        overrides=overrides,
    )


def _proofs(policy: Policy, known: ImageRecords, plan: str, overrides: Mapping[str, str]) -> tuple[str, ...]:
    return tuple(map(str, verdicts_of(policy, known, plan, overrides)))


def _plan_of(repository: Repository, digest: str) -> str:
    manifest = repository.manifest(digest)
    return labels_of(repository, manifest).get(LABEL_DIGEST, "") if manifest else ""
