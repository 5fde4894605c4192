"""Point aliases to what they named before the last promotion: all of a release, or none."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Final

from rocmimg.errors import GateRefused, RegistryError
from rocmimg.plan import ImagePlan
from rocmimg.registry import parse
from rocmimg.registry.client import Registries
from rocmimg.release import records
from rocmimg.release.candidates import public_reference
from rocmimg.release.records import Promotion
from rocmimg.release.retag import TagUpdate, apply

_AT_ONCE: Final = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class AliasRestore:
    """One alias that goes back."""

    cell: str
    update: TagUpdate

    def as_json(self) -> dict[str, Any]:
        before = self.update.before
        return {
            "id": self.cell,
            "alias": str(self.update),
            "from": before.digest if before else "",
            "to": self.update.manifest.digest,
        }


def prepare(images: Sequence[ImagePlan], registries: Registries) -> list[AliasRestore]:
    """Where each alias of these cells goes back to.

    Raises:
        GateRefused: an alias was never promoted, or not from anything.
        RegistryError: what it named before is gone.
    """
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        found = [
            restore for restores in pool.map(lambda image: _of_cell(image, registries), images) for restore in restores
        ]
    if not found:
        raise GateRefused("these cells have no aliases, so there is nothing to roll back")
    for repository in {str(restore.update): restore.update.repository for restore in found}.values():
        repository.require_push()
    return found


def roll_back(restores: Sequence[AliasRestore]) -> None:
    """Move the aliases, and attach a record to what they name then."""
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        list(pool.map(_record, restores))
    apply([restore.update for restore in restores])


def _record(restore: AliasRestore) -> None:
    update = restore.update
    record = Promotion(
        kind="rollback",
        cell=restore.cell,
        version="",
        when=records.now(),
        who=records.actor(),
        tags=(),
        aliases={str(update): update.before.digest if update.before else ""},
    )
    records.attach(update.repository, update.manifest.descriptor, records.PROMOTION, record.as_json(), when=record.when)


def _of_cell(image: ImagePlan, registries: Registries) -> list[AliasRestore]:
    repository = registries.repository(public_reference(image))
    restores = []
    for name in image.cell.aliases:
        reference = parse(name)
        tag, key = reference.tag, str(reference)
        current = repository.manifest(tag)
        if current is None:
            raise GateRefused(f"{name} does not exist", next_step="promote first")
        history = [
            record.aliases[key]
            for record in records.promotions(repository, current.digest)
            if record.kind == "promotion" and key in record.aliases
        ]
        if not history or not history[-1]:
            raise GateRefused(
                f"{name} has nothing to go back to",
                why="it named nothing before its promotion" if history else "no record says what it named before",
                next_step="promote a version that is known to be good",
            )
        manifest = repository.manifest(history[-1])
        if manifest is None:
            raise RegistryError(f"{name} named {history[-1]} before, which {repository} does not have any more")
        restores.append(
            AliasRestore(
                cell=image.id, update=TagUpdate(repository=repository, tag=tag, manifest=manifest, before=current)
            )
        )
    return restores
