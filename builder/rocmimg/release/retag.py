"""Names that move together: each is set, or all are put back to what they were."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rocmimg.errors import RegistryError, RocmimgError
from rocmimg.registry import Manifest
from rocmimg.registry.client import Repository


@dataclass(frozen=True, slots=True, kw_only=True)
class TagUpdate:
    """A tag of a repository that is to name ``manifest``; ``before`` is what it names now."""

    repository: Repository
    tag: str
    manifest: Manifest
    before: Manifest | None

    def __str__(self) -> str:
        return f"{self.repository}:{self.tag}"


def apply(updates: Sequence[TagUpdate]) -> None:
    """Set every name, in this order.

    Raises:
        RegistryError: one could not be set; the others are what they were, or are named in the message.
    """
    done: list[TagUpdate] = []
    try:
        for update in updates:
            done.append(update)  # a write whose answer got lost may have happened
            update.repository.put_manifest(update.tag, update.manifest)
            found = update.repository.digest(update.tag)
            if found != update.manifest.digest:
                raise RegistryError(f"{update} names {found} after {update.manifest.digest} was written to it")
    except BaseException as error:
        stuck = _undo(done)
        if not isinstance(error, RocmimgError):
            raise
        state = f"these could not be put back: {', '.join(stuck)}" if stuck else "every name is what it was"
        raise RegistryError(
            f"{done[-1]} could not be set",
            why=f"{error}; {state}",
            next_step="run the same command again" + (", which sets or leaves all of them" if stuck else ""),
        ) from error


def _undo(done: list[TagUpdate]) -> list[str]:
    stuck = []
    for update in reversed(done):
        try:
            if update.before is not None:
                update.repository.put_manifest(update.tag, update.before)
            elif update.repository.digest(update.tag) is not None:
                update.repository.untag(update.tag)
        except RocmimgError:
            stuck.append(str(update))
    return stuck
