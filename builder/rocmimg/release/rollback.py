"""Point aliases to what they named before the last promotion: all of a release, or none."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from rocmimg.errors import GateRefused, RegistryError
from rocmimg.plan import ImagePlan
from rocmimg.registry import parse
from rocmimg.release import records
from rocmimg.release.candidates import public_reference
from rocmimg.release.intent import new_id, new_intent
from rocmimg.release.promote import Release
from rocmimg.release.records import ImageRecords, Promotion
from rocmimg.release.retag import TagUpdate
from rocmimg.release.transaction import AT_ONCE, Transaction


@dataclass(frozen=True, slots=True, kw_only=True)
class AliasRestore:
    """One alias that goes back."""

    cell: str
    update: TagUpdate

    def as_json(self) -> dict[str, Any]:
        return {"id": self.cell, "alias": str(self.update), "from": self.update.before, "to": self.update.after}


def prepare(release: Release) -> list[AliasRestore]:
    """Where each alias of these cells goes back to.

    Raises:
        GateRefused: an alias was never promoted, or not from anything.
        RegistryError: what it named before is gone.
    """
    with ThreadPoolExecutor(AT_ONCE) as pool:
        found = [one for some in pool.map(lambda image: _of_cell(image, release), release.images) for one in some]
    if not found:
        raise GateRefused("these cells have no aliases, so there is nothing to roll back")
    release.require_push()
    return found


def roll_back(release: Release, restores: Sequence[AliasRestore]) -> None:
    """Announce it, attach a record to what the aliases name then, and move them.

    Raises:
        RegistryError: something could not be written, or another promotion is under way; the message says what the
            names are now.
    """
    signer, transaction_id = release.signer(), new_id()
    repository = release.registries.repository
    with ThreadPoolExecutor(AT_ONCE) as pool:
        attach = list(
            pool.map(
                lambda one: release.record(
                    repository(parse(one.update.repository)), one.update.after, _record(one, transaction_id), signer
                ),
                restores,
            )
        )
    cells = list(dict.fromkeys(one.cell for one in restores))
    intent = new_intent("rollback", cells, [one.update for one in restores], attach, transaction_id)
    transaction = Transaction(release.registries, intent, signer, release.trust)
    transaction.begin()
    transaction.run()


def _record(restore: AliasRestore, transaction_id: str) -> Promotion:
    return Promotion(
        kind="rollback",
        cell=restore.cell,
        version="",
        when=records.now(),
        who=records.actor(),
        tags=(),
        aliases={str(restore.update): restore.update.before},
        transaction=transaction_id,
    )


def _of_cell(image: ImagePlan, release: Release) -> list[AliasRestore]:
    repository = release.registries.repository(public_reference(image))
    trust = release.policies[image.id].trust
    restores = []
    for name in image.cell.aliases:
        reference = parse(name)
        key = str(reference)
        current = repository.digest(reference.tag)
        if current is None:
            raise GateRefused(f"{name} does not exist", next_step="promote first")
        history = [
            record.aliases[key]
            for record in records.promotions(ImageRecords(repository, current, trust))
            if record.kind == "promotion" and key in record.aliases
        ]
        if not history or not history[-1]:
            raise GateRefused(
                f"{name} has nothing to go back to",
                why="it named nothing before its promotion" if history else "no record says what it named before",
                next_step="promote a version that is known to be good",
            )
        if repository.manifest(history[-1]) is None:
            raise RegistryError(f"{name} named {history[-1]} before, which {repository} does not have any more")
        update = TagUpdate(
            repository=str(repository), tag=reference.tag, kind="alias", before=current, after=history[-1]
        )
        restores.append(AliasRestore(cell=image.id, update=update))
    return restores
