"""A matrix with the lock's answers in the place of names: commits for refs, digests for bases, versions for bounds."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from rocmimg.errors import LockError, Position
from rocmimg.lock.file import DEFAULT_INDEX, Lock, read_lock
from rocmimg.lock.requests import lookup_requests, of_index, requirement
from rocmimg.matrix.cell import Cell, Matrix, ResolvedComponent
from rocmimg.matrix.model import CellConfig


@dataclass(frozen=True, slots=True)
class Missing:
    """What images.yaml asks for and the lock does not have."""

    what: str
    position: Position
    cells: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.position}: {self.what}"


def pin(matrix: Matrix, lock: Lock) -> tuple[Matrix, list[Missing]]:
    """``matrix`` as far as ``lock`` pins it, and what it does not."""
    cells = tuple(_pinned(cell, lock) for cell in matrix.cells)
    owners: dict[tuple[str, str, str], list[str]] = {}
    for cell in matrix.cells:
        for request in lookup_requests([cell]):
            owners.setdefault(request.key, []).append(cell.id)
    missing = [
        Missing(str(request), request.position, tuple(owners[request.key]))
        for request in lookup_requests(matrix.cells)
        if not has(lock, request.key)
    ]
    return replace(matrix, cells=cells), missing


def pinned(matrix: Matrix, path: Path, cell_ids: Iterable[str], *, strict: bool) -> tuple[Matrix, list[str]]:
    """``matrix`` under the lock at ``path``, and a note on each thing that it does not pin for these cells.

    Raises:
        LockError: the lock is broken; or ``strict``, and it is missing or does not pin everything.
    """
    lock = read_lock(path)
    if lock is None:
        raise LockError(f"there is no {path.name}", next_step="run `rocmimg lock` and commit the file")
    matrix, missing = pin(matrix, lock)
    chosen = set(cell_ids)
    for name in list(chosen):
        while base := matrix.cell(name).base_cell:
            chosen.add(name := base)
    open_ends = [gap for gap in missing if chosen & set(gap.cells)]
    if open_ends and strict:
        raise LockError(
            f"{path.name} does not fit {matrix.path.name}",
            why="it does not pin\n  " + "\n  ".join(map(str, open_ends)),
            next_step="run `rocmimg lock` and commit the file",
            position=open_ends[0].position,
        )
    return matrix, [f"{gap} is not in {path.name}, so it is taken as it is today" for gap in open_ends]


def has(lock: Lock, key: tuple[str, str, str]) -> bool:
    """Whether the lock answers a look-up."""
    section, place, name = key
    table: Mapping[str, object] = getattr(lock, section)
    if section in ("images", "snapshots"):
        return place in table or (section == "images" and place in lock.local)
    inner = table.get(place)
    return isinstance(inner, Mapping) and name in inner


def _pinned(cell: Cell, lock: Lock) -> Cell:
    config = cell.config
    base = config.base
    if digest := lock.images.get(base.image):
        base = base.model_copy(update={"image": f"{base.image}@{digest}"})
    if base.rootfs and (moment := lock.snapshots.get(base.rootfs.snapshot)):
        mirror = f"{base.rootfs.snapshot.rstrip('/')}/{moment}/"
        base = base.model_copy(update={"rootfs": base.rootfs.model_copy(update={"mirror": mirror})})
    components = tuple(_component(component, lock) for component in cell.components)
    update: dict[str, object] = {
        "base": base,
        "common_pip": _versions(config.common_pip, lock),
        "pip": _versions(config.pip, lock),
    }
    pinned: CellConfig = config.model_copy(update=update)
    dockerfile = cell.dockerfile and replace(cell.dockerfile, digests={**cell.dockerfile.digests, **lock.images})
    base_id = lock.local.get(config.base.image, "")
    return replace(cell, config=pinned, components=components, dockerfile=dockerfile, base_id=base_id)


def _component(component: ResolvedComponent, lock: Lock) -> ResolvedComponent:
    git, tools = component.git, _versions(component.build_pip, lock)
    if wanted := of_index(component):
        index, name = wanted
        if pin := lock.packages.get(index, {}).get(name):
            component = replace(component, options={**component.options, "version": pin.version})
    found = lock.git.get(git.repo, {}).get(git.ref) if git else None
    if git is None or found is None:
        return replace(component, build_pip=tools)
    return replace(component, build_pip=tools, source=replace(git, ref=found.commit, named=git.ref))


def _versions(packages: Mapping[str, str], lock: Lock) -> Mapping[str, str]:
    known = lock.packages.get(DEFAULT_INDEX, {})
    found = {name: known.get(requirement(name, spec)) for name, spec in packages.items()}
    return {name: answer.version if (answer := found[name]) else spec for name, spec in packages.items()}
