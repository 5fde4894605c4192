"""What of a matrix has to be looked up: every ref, base, package and snapshot, each once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from rocmimg.errors import Position
from rocmimg.lock.file import DEFAULT_INDEX
from rocmimg.matrix.cell import Cell, ResolvedComponent
from rocmimg.matrix.model import Network
from rocmimg.matrix.python import python_of


@dataclass(frozen=True, slots=True, kw_only=True)
class LookupRequest:
    """One thing to look up; ``position`` is where images.yaml first asks for it."""

    section: str
    """The section of the lock: git, images, packages or snapshots."""
    place: str
    """Repository, index or snapshot service; the image itself for a base."""
    name: str
    """Ref or requirement; empty for a base and a snapshot."""
    position: Position
    network: Network
    cells: tuple[str, ...]
    """Who asks."""
    pythons: tuple[str, ...]
    """The Pythons of their bases: what is installed there must run on each."""

    @property
    def key(self) -> tuple[str, str, str]:
        return self.section, self.place, self.name

    def __str__(self) -> str:
        match self.section:
            case "git":
                return f"{self.place} {self.name}"
            case "packages":
                return f"{self.name} of {self.place}"
        return self.place


def lookup_requests(cells: Iterable[Cell]) -> list[LookupRequest]:
    """What these cells ask for, in the order of images.yaml."""
    cells = tuple(cells)
    by_id = {cell.id: cell for cell in cells}
    found: dict[tuple[str, str, str], LookupRequest] = {}
    for cell in cells:
        python = _python(cell, by_id)
        for request in _of_cell(cell):
            first = found.setdefault(request.key, request)
            owners = dict.fromkeys((*first.cells, cell.id))
            pythons = dict.fromkeys((*first.pythons, python))
            found[request.key] = replace(first, cells=tuple(owners), pythons=tuple(pythons))
    return list(found.values())


def _python(cell: Cell, by_id: Mapping[str, Cell]) -> str:
    while (base := cell.base_cell) and base in by_id:
        cell = by_id[base]
    return python_of(cell.config.base.image)


def _of_cell(cell: Cell) -> Iterator[LookupRequest]:
    network = cell.config.network

    def request(section: str, place: str, name: str, *path: str | int) -> LookupRequest:
        return LookupRequest(
            section=section, place=place, name=name, position=cell.position(*path), network=network,
            cells=(), pythons=(),
        )  # fmt: skip

    base = cell.config.base
    for reference, position in cell.outside_images:
        if "@" not in reference:
            yield replace(request("images", reference, ""), position=position)
    if base.rootfs and base.rootfs.snapshot:
        yield request("snapshots", base.rootfs.snapshot, "", "base", "rootfs", "snapshot")
    for component in cell.components:
        if git := component.git:
            owner = component.shared_with or component.name
            asked = request("git", git.repo, git.named_ref)
            yield replace(asked, position=cell.position_of(owner, "ref"))
        for name, spec in component.build_pip.items():
            yield request(
                "packages", DEFAULT_INDEX, requirement(name, spec), "components", component.name, "build_pip", name
            )
        if wanted := of_index(component):
            yield request("packages", *wanted, "components", component.name, "options", "version")
        for index, name, version in wheels_of(component):
            yield request("packages", index, f"{name}=={version}", "components", component.name, "options", name)
    for table in ("common_pip", "pip"):
        packages: Mapping[str, str] = getattr(cell.config, table)
        for name, spec in packages.items():
            yield request("packages", DEFAULT_INDEX, requirement(name, spec), table, name)


def requirement(name: str, spec: str) -> str:
    """``cmake`` and ``<4``, or ``cmake`` and ``4.1``, as pip writes them."""
    return f"{name}{spec}" if spec[0] in "<>=!~" else f"{name}=={spec}"


def of_index(component: ResolvedComponent) -> tuple[str, str] | None:
    """Index and requirement of a component that comes from an index as a whole; None for others."""
    if component.config.source != "index":
        return None
    index, name, version = (str(component.options.get(key, "")) for key in ("index", "distribution", "version"))
    return index or DEFAULT_INDEX, requirement(name, version) if version else name


def downloads_of(cells: Iterable[Cell]) -> dict[str, dict[str, str]]:
    """What recipes fetch by URL and check: an option with a version beside one of its name with ``_sha256``."""
    found: dict[str, dict[str, str]] = {}
    for component in (component for cell in cells for component in cell.components):
        for option, version in component.options.items():
            digest = component.options.get(f"{option}_sha256")
            if isinstance(version, str) and isinstance(digest, str) and version and digest:
                found.setdefault(f"{component.recipe.name}.{option}", {})[version] = digest
    return found


def wheels_of(component: ResolvedComponent) -> Iterator[tuple[str, str, str]]:
    """Index, distribution and version of what a recipe installs from an index of its own.

    Such a recipe has an option ``index``, and one option for each distribution that it provides.
    """
    index = component.options.get("index")
    if not isinstance(index, str):
        return
    for option, value in component.options.items():
        name = option.replace("_", "-")
        if name in component.recipe.provides and isinstance(value, str) and value:
            yield index, name, value
