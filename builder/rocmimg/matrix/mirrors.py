"""Git mirrors: how git is told of them, and which folders of repositories have to be served."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

from rocmimg.matrix.cell import Cell, Matrix


def instead_of(mirrors: Mapping[str, str], environ: Mapping[str, str] = MappingProxyType({})) -> dict[str, str]:
    """Environment that makes git, and all that calls it, fetch from the mirrors; it is added to ``environ``."""
    if not mirrors:
        return {}
    start = int(environ.get("GIT_CONFIG_COUNT") or 0)
    found = {"GIT_CONFIG_COUNT": str(start + len(mirrors))}
    for index, (prefix, mirror) in enumerate(mirrors.items(), start):
        found |= {f"GIT_CONFIG_KEY_{index}": f"url.{mirror}.insteadOf", f"GIT_CONFIG_VALUE_{index}": prefix}
    return found


def mirrors_of(cells: Iterable[Cell]) -> dict[str, str]:
    """The mirrors of all these cells: each has what the original has, so one per prefix is enough."""
    found: dict[str, str] = {}
    for cell in cells:
        for prefix, mirror in cell.config.network.git_mirrors.items():
            found.setdefault(prefix, mirror)
    return found


def is_folder(mirror: str) -> bool:
    """Whether a mirror is a folder of this machine, which a build cannot see."""
    return mirror.startswith(("/", ".", "file://"))


def serve_folders(mirrors: Mapping[str, str], folder: Path, serve: Callable[[Path], str]) -> dict[str, str]:
    """``mirrors`` with the answer of ``serve`` for every folder; relative ones start at ``folder``."""
    return {
        prefix: serve(folder / mirror.removeprefix("file://")) if is_folder(mirror) else mirror
        for prefix, mirror in mirrors.items()
    }


def with_served_folders(matrix: Matrix, serve: Callable[[Path], str]) -> Matrix:
    """``matrix`` with URLs in the place of mirrors that are folders."""
    cells = []
    for cell in matrix.cells:
        network = cell.config.network
        if any(map(is_folder, network.git_mirrors.values())):
            served = serve_folders(network.git_mirrors, matrix.folder, serve)
            network = network.model_copy(update={"git_mirrors": served})
            cells.append(replace(cell, config=cell.config.model_copy(update={"network": network})))
        else:
            cells.append(cell)
    return replace(matrix, cells=tuple(cells))
