"""Bring a lock up to date, or say what that would change."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from rocmimg.errors import LockError
from rocmimg.lock.changes import Change, changes, merged
from rocmimg.lock.file import Lock, lock_path, read_lock, write_lock
from rocmimg.lock.requests import downloads_of, lookup_requests
from rocmimg.lock.resolve import Failure, LocalId, resolve
from rocmimg.matrix.cell import Matrix


@dataclass(frozen=True, slots=True, kw_only=True)
class Update:
    """What became of the lock."""

    changes: list[Change]
    stale: bool
    """Whether the lock on disk is not what the look-ups say."""
    summary: str
    failures: list[Failure]
    """Look-ups that failed: what the lock had of them stays."""


def update(
    matrix: Matrix,
    cell_ids: Collection[str] | None,
    *,
    write: bool,
    accept_alarms: bool = False,
    local_id: LocalId = lambda _, __: "",
) -> Update:
    """Look up what the cells (None for all) ask for, and write the lock where ``write``.

    Raises:
        LockError: a name that should never move did; the file is then as it was.
    """
    path = lock_path(matrix.path)
    old = read_lock(path)
    chosen = [cell for cell in matrix.cells if cell_ids is None or cell.id in cell_ids]
    requests = lookup_requests(chosen)
    keep = {request.key for request in lookup_requests(matrix.cells)} if cell_ids is not None else set()
    resolved, failures = resolve(requests, local_id)
    new = merged(old or Lock(), resolved, keep | {failure.request.key for failure in failures})
    new = new.model_copy(update={"downloads": downloads_of(matrix.cells)})
    found = changes(old or Lock(), new)
    alarms = [change for change in found if change.kind == "alarm"]
    count = f"{len(requests) - len(failures)} of {len(requests)} names looked up"
    if not write:
        told = f"{len(found)} changes" if found else f"{path.name} is current" if old else f"there is no {path.name}"
        return Update(changes=found, stale=bool(found) or old is None, summary=f"{count}; {told}", failures=failures)
    if alarms and not accept_alarms:
        raise LockError(
            "what should never move has moved",
            why="\n  " + "\n  ".join(map(str, alarms)),
            next_step="find out why; `rocmimg lock --accept-alarms` takes it over",
        )
    wrote = write_lock(new, path)
    summary = f"{count}; {path.name} {'written' if wrote else 'is current'}"
    return Update(changes=found, stale=False, summary=summary, failures=failures)


def moved_refs(matrix: Matrix, cell_ids: Collection[str], local_id: LocalId) -> tuple[list[str], list[str]]:
    """Refs that mean something else than the lock says, and why they could not be looked up."""
    if read_lock(lock_path(matrix.path)) is None:
        return [], ["not run: moved refs: there is no lock; `rocmimg lock` writes one"]
    result = update(matrix, cell_ids, write=False, local_id=local_id)
    moved = [str(change) for change in result.changes if change.kind in ("moved", "alarm")]
    return moved, [f"not run: whether it moved: {failure}" for failure in result.failures]
