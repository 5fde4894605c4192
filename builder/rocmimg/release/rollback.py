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
from rocmimg.release.moves import Move, carry_out
from rocmimg.release.records import Promotion

_AT_ONCE: Final = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Back:
    """One alias that goes back."""

    cell: str
    move: Move

    def as_json(self) -> dict[str, Any]:
        before = self.move.before
        return {
            "id": self.cell,
            "alias": str(self.move),
            "from": before.digest if before else "",
            "to": self.move.manifest.digest,
        }


def prepare(images: Sequence[ImagePlan], registries: Registries) -> list[Back]:
    """Where each alias of these cells goes back to.

    Raises:
        GateRefused: an alias was never promoted, or not from anything.
        RegistryError: what it named before is gone.
    """
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        found = [back for backs in pool.map(lambda image: _of_cell(image, registries), images) for back in backs]
    if not found:
        raise GateRefused("these cells have no aliases, so there is nothing to roll back")
    for repository in {str(back.move): back.move.repository for back in found}.values():
        repository.require_push()
    return found


def roll_back(backs: Sequence[Back]) -> None:
    """Move the aliases, and attach a record to what they name then."""
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        list(pool.map(_record, backs))
    carry_out([back.move for back in backs])


def _record(back: Back) -> None:
    move = back.move
    record = Promotion(
        kind="rollback",
        cell=back.cell,
        version="",
        when=records.now(),
        who=records.actor(),
        tags=(),
        aliases={str(move): move.before.digest if move.before else ""},
    )
    records.attach(move.repository, move.manifest.descriptor, records.PROMOTION, record.as_json(), when=record.when)


def _of_cell(image: ImagePlan, registries: Registries) -> list[Back]:
    repository = registries.repository(public_reference(image))
    backs = []
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
        backs.append(Back(cell=image.id, move=Move(repository=repository, tag=tag, manifest=manifest, before=current)))
    return backs
