"""Where public names point, since when, and what proves what they name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from rocmimg.errors import GateRefused
from rocmimg.plan import ImagePlan
from rocmimg.registry import parse
from rocmimg.registry.client import Registries, Repository
from rocmimg.release import records
from rocmimg.release.candidates import newest_fitting, public_reference, repository_of
from rocmimg.release.gate import Verdict, evaluate


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One name of one cell."""

    id: str
    kind: Literal["alias", "tag", "candidate"]
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


def status(images: Sequence[ImagePlan], registries: Registries) -> list[Entry]:
    """Aliases, tags and the candidate of each cell, in the plan's order."""
    with ThreadPoolExecutor(8) as pool:
        return [entry for entries in pool.map(lambda image: _of_cell(image, registries), images) for entry in entries]


def _of_cell(image: ImagePlan, registries: Registries) -> list[Entry]:
    public = registries.repository(public_reference(image))
    entries = [_public(image, "alias", name, public) for name in image.cell.aliases]
    entries += [_public(image, "tag", name, public) for name in image.cell.tags]
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
        proofs=tuple(map(str, _verdicts(image, repository, candidate.digest, {}))),
    )
    return [*entries, entry]


def _public(image: ImagePlan, kind: Literal["alias", "tag"], name: str, repository: Repository) -> Entry:
    reference = parse(name)
    digest, key = repository.digest(reference.tag), str(reference)
    if digest is None:
        return Entry(id=image.id, kind=kind, name=name, digest="")
    mine = [r for r in records.promotions(repository, digest) if key in r.aliases or key in r.tags]
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
        proofs=tuple(map(str, _verdicts(image, repository, digest, overrides))),
        overrides=overrides,
    )


def _verdicts(image: ImagePlan, repository: Repository, digest: str, overrides: Mapping[str, str]) -> list[Verdict]:
    return evaluate(image.cell.config.release.requires, records.check_results(repository, digest), overrides)
