"""Branches and tags as the commits that they mean today, for cells that no lock pins.

What was looked up is kept in the cache folder: a verb that only has to find what `build` made goes by that, and so does
a build that cannot reach the repository.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pydantic import ValidationError

from rocmimg.errors import SourceError
from rocmimg.lock import git
from rocmimg.lock.file import GitPin, Lock
from rocmimg.lock.pin import pin
from rocmimg.lock.requests import LookupRequest, lookup_requests
from rocmimg.matrix.cell import Cell, Matrix
from rocmimg.paths import cache_dir, write_atomic
from rocmimg.source import Git

_AT_ONCE: Final = 16
_PAUSES_S: Final = (1,)
Pins = dict[str, dict[str, GitPin]]


@dataclass(frozen=True, slots=True, kw_only=True)
class UsedRef:
    """What a component's ref stands for in a plan."""

    cell: str
    component: str
    ref: str
    commit: str
    origin: str
    """``locked``, ``looked up``, or ``not looked up``: then the commit is empty."""

    def as_json(self) -> dict[str, str]:
        return {name: getattr(self, name) for name in self.__slots__ if name != "cell"}


def resolve_refs(matrix: Matrix, cell_ids: Iterable[str], *, now: bool) -> tuple[Matrix, list[str]]:
    """``matrix`` with commits in the place of these cells' refs, and a note on each that could not be looked up.

    With ``now`` every repository is asked, once; without, only those whose answer is not known from before.
    """
    wanted = open_refs(matrix, cell_ids)
    if not wanted:
        return matrix, []
    known = _read()
    groups: dict[str, list[LookupRequest]] = {}
    for request in wanted:
        if now or request.name not in known.get(request.place, {}):
            groups.setdefault(request.place, []).append(request)
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        answers = list(pool.map(_ask, groups.values()))
    notes: list[str] = []
    for group, answer in zip(groups.values(), answers, strict=True):
        for request in group:
            if not isinstance(answer, SourceError) and request.name in answer:
                known.setdefault(request.place, {})[request.name] = answer[request.name]
            else:
                notes.append(_note(request, answer, known.get(request.place, {}).get(request.name)))
    if groups:
        _write(known)
    found = {
        repo: {request.name: known[repo][request.name] for request in wanted if _answered(known, request, repo)}
        for repo in dict.fromkeys(request.place for request in wanted)
    }
    return pin(matrix, Lock(git=found))[0], notes


def open_refs(matrix: Matrix, cell_ids: Iterable[str]) -> list[LookupRequest]:
    """Refs of these cells that are still names."""
    return [request for request in lookup_requests(_with_bases(matrix, cell_ids)) if _is_open(request, matrix)]


def used_refs(matrix: Matrix, cell_ids: Iterable[str], lock: Lock | None) -> Iterator[UsedRef]:
    """What the refs of these cells stand for; those that images.yaml gives as commits are left out."""
    locked = lock.git if lock else {}
    for cell in _with_bases(matrix, cell_ids):
        for component in cell.components:
            source = component.git
            if not source or component.shared_with or (source.commit and not source.named):
                continue
            in_lock = source.named in locked.get(source.repo, {})
            origin = "locked" if in_lock else "looked up" if source.named else "not looked up"
            yield UsedRef(
                cell=cell.id, component=component.name, ref=source.named_ref, commit=source.commit, origin=origin
            )


def _with_bases(matrix: Matrix, cell_ids: Iterable[str]) -> list[Cell]:
    chosen: dict[str, Cell] = {}
    for name in cell_ids:
        cell: Cell | None = matrix.cell(name)
        while cell and cell.id not in chosen:
            chosen[cell.id] = cell
            cell = matrix.cell(cell.base_cell) if cell.base_cell else None
    return list(chosen.values())


def _is_open(request: LookupRequest, matrix: Matrix) -> bool:
    """Whether a request is for a ref that is still a name in its cells."""
    if request.section != "git" or Git(repo=request.place, ref=request.name).commit:
        return False
    return any(
        c.git and (c.git.repo, c.git.ref) == (request.place, request.name)
        for cell in request.cells
        for c in matrix.cell(cell).components
    )


def _ask(group: list[LookupRequest]) -> dict[str, GitPin] | SourceError:
    try:
        return git.look_up(group[0].place, [r.name for r in group], group[0].network, pauses=_PAUSES_S)
    except SourceError as error:
        return error


def _note(request: LookupRequest, answer: object, before: GitPin | None) -> str:
    why = str(answer) if isinstance(answer, SourceError) else "there is neither a tag nor a branch of that name"
    taken = f"taken as it was before: {before.commit[:12]}" if before else "taken by its name"
    return f"{request.position}: {request} was not looked up: {why}; {taken}"


def _answered(known: Pins, request: LookupRequest, repo: str) -> bool:
    return request.place == repo and request.name in known.get(repo, {})


def _path() -> Path:
    return cache_dir() / "refs.json"


def _read() -> Pins:
    try:
        said = json.loads(_path().read_text(encoding="utf-8"))
        return {repo: {ref: GitPin(**pin) for ref, pin in refs.items()} for repo, refs in said.items()}
    except (OSError, ValueError, TypeError, AttributeError, ValidationError):
        return {}


def _write(pins: Pins) -> None:
    said = {repo: {ref: pin.model_dump() for ref, pin in refs.items()} for repo, refs in pins.items()}
    with contextlib.suppress(OSError):  # then they are looked up again
        write_atomic(_path(), json.dumps(said, indent=1, sort_keys=True))
