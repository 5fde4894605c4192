"""Names that move together: each is set, or all are put back to what they were."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rocmimg.errors import RegistryError, RocmimgError
from rocmimg.registry import Manifest
from rocmimg.registry.client import Repository


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """A tag of a repository that is to name ``manifest``; ``before`` is what it names now."""

    repository: Repository
    tag: str
    manifest: Manifest
    before: Manifest | None

    def __str__(self) -> str:
        return f"{self.repository}:{self.tag}"


def carry_out(moves: Sequence[Move]) -> None:
    """Set every name, in this order.

    Raises:
        RegistryError: one could not be set; the others are what they were, or are named in the message.
    """
    done: list[Move] = []
    try:
        for move in moves:
            done.append(move)  # a write whose answer got lost may have happened
            move.repository.put_manifest(move.tag, move.manifest)
            found = move.repository.digest(move.tag)
            if found != move.manifest.digest:
                raise RegistryError(f"{move} names {found} after {move.manifest.digest} was written to it")
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


def _undo(done: list[Move]) -> list[str]:
    stuck = []
    for move in reversed(done):
        try:
            if move.before is not None:
                move.repository.put_manifest(move.tag, move.before)
            elif move.repository.digest(move.tag) is not None:
                move.repository.untag(move.tag)
        except RocmimgError:
            stuck.append(str(move))
    return stuck
