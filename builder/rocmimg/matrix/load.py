"""images.yaml -> Matrix."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from rocmimg.errors import ConfigError, ConfigErrors, Position, did_you_mean
from rocmimg.matrix.adopted import merged
from rocmimg.matrix.cascade import normalize
from rocmimg.matrix.cell import Cell, Matrix
from rocmimg.matrix.model import ID, NAME, Arch, CellConfig
from rocmimg.matrix.nodes import Node, mapping, read_yaml
from rocmimg.matrix.recipe import Catalogue, builtin_templates
from rocmimg.matrix.resolve import link_bases, refuse_shared_tags, resolve_cell, unused_default_flags
from rocmimg.matrix.select import NOTHING, Selection, select
from rocmimg.matrix.shape import shape_of
from rocmimg.matrix.validate import unknown_key, validate

TOP_KEYS: Final = ("architectures", "defaults", "targets", "templates")
_LONGEST_NAME: Final = 64
TARGET_KEYS: Final = ("extends", "gpu_archs", "per_arch", "variants")


@dataclass(frozen=True, slots=True)
class _Outline:
    """A cell before its configuration is resolved."""

    id: str
    target: str
    arch: str
    archs: tuple[str, ...]
    variant: str
    opt_in: bool
    layers: tuple[Node, ...]


def load(path: Path, *, sets: Iterable[Node] = (), selection: Selection = NOTHING, version: str = "") -> Matrix:
    """Read a matrix; ``sets`` (see :func:`~rocmimg.matrix.cascade.parse_set`) change the cells of ``selection``.

    ``version`` is that of every cell: what the selected ones start from has the same.

    Raises:
        ConfigError: the file, a recipe or a set is wrong; the message has the position.
    """
    shown = _shown(path)
    root = read_yaml(path, shown)
    _refuse_unknown(root, TOP_KEYS, "")
    targets = root.children.get("targets")
    if targets is None or not targets.children:
        raise ConfigError("there are no targets", next_step="add `targets:`", position=root.position)
    archs = _archs(root.children.get("architectures"))
    catalogue = Catalogue(_template_folders(root, path.parent))
    defaults = root.children.get("defaults") or mapping({}, Position(shown))
    _refuse_unknown(defaults, shape_of(CellConfig).keys_at(()), "defaults.")
    outlines = [o for name in targets.children for o in _outlines(name, targets, normalize(defaults), archs)]
    extended = _extended(targets, {outline.target for outline in outlines})
    chosen = set(select(outlines, selection, extended)) if (layers := tuple(sets)) else set()
    cells: list[Cell] = []
    errors: list[ConfigError] = []
    place = Position("ROCMIMG_VERSION")
    everywhere = (mapping({"version": Node(version, place)}, place),) if version else ()
    for outline in outlines:
        extra = (*everywhere, *(layers if outline.id in chosen else ()))
        try:
            node = merged((*outline.layers, *extra))
            cells.append(_cell(outline, node, catalogue, archs, path.parent))
        except ConfigErrors as error:
            errors.extend(error.errors)
        except ConfigError as error:
            errors.append(error)
    errors.extend(unused_default_flags(defaults, cells, catalogue))
    if errors:
        raise ConfigErrors(list({str(error): error for error in errors}.values()))
    refuse_shared_tags(cells)
    return Matrix(path=path, catalogue=catalogue, archs=archs, cells=link_bases(cells), extended=extended)


def catalogue_of(path: Path) -> Catalogue:
    """The recipes that the matrix ``path`` can use; the built-in ones where there is no such file.

    Raises:
        ConfigError: the file, or its folder of templates, is wrong.
    """
    if not path.exists():
        return Catalogue((builtin_templates(),))
    return Catalogue(_template_folders(read_yaml(path, _shown(path)), path.parent))


def _cell(outline: _Outline, node: Node, catalogue: Catalogue, archs: Mapping[str, Arch], folder: Path) -> Cell:
    alias = "-".join(archs[arch].alias for arch in outline.archs) if outline.arch in archs else outline.arch
    return resolve_cell(
        cell_id=outline.id,
        target=outline.target,
        arch=outline.arch,
        archs=outline.archs,
        variant=outline.variant,
        opt_in=outline.opt_in,
        alias=alias,
        node=node,
        catalogue=catalogue,
        folder=folder,
    )


def _shown(path: Path) -> str:
    try:
        return str(path.resolve().relative_to(Path.cwd()))
    except (ValueError, RuntimeError):  # outside this folder; links in a circle, which reading it then reports
        return str(path)


def _template_folders(root: Node, folder: Path) -> tuple[Path, ...]:
    own = root.children.get("templates")
    if own is None:
        project = folder / "templates"
        return (
            (project, builtin_templates())
            if project.is_dir() and project != builtin_templates()
            else (builtin_templates(),)
        )
    project = folder / str(own.value)
    if not isinstance(own.value, str) or not project.is_dir():
        raise ConfigError(f"templates: {own.plain()!r} is not a folder", position=own.position)
    return (project, builtin_templates())


def _archs(own: Node | None) -> dict[str, Arch]:
    builtin = read_yaml(Path(__file__).with_name("archs.yaml"), "archs.yaml")
    node = mapping({**builtin.children, **own.children}, own.position) if own else builtin
    for name, child in node.children.items():
        _refuse_name(name, "architectures", child.position)
    return {name: validate(Arch, child, ("architectures", name)) for name, child in node.children.items()}


def _refuse_name(name: str, where: str, position: Position) -> None:
    """Names of cells are made of these: they are files, tags, and words of scripts."""
    if len(name) > _LONGEST_NAME or not re.fullmatch(ID, name):
        why = f"it has more than {_LONGEST_NAME} characters" if len(name) > _LONGEST_NAME else ""
        raise ConfigError(f"{where}: {name!r} is not {NAME}", why=why, next_step="rename it", position=position)


def _refuse_unknown(node: Node, known: Iterable[str], prefix: str) -> None:
    if node.value is not None and not isinstance(node.value, Mapping):
        raise ConfigError(f"{prefix.rstrip('.') or 'the file'} must be a mapping", position=node.position)
    known = tuple(known)
    if errors := [
        unknown_key(f"{prefix}{key}", known, child.position) for key, child in node.children.items() if key not in known
    ]:
        raise ConfigErrors(errors)


def _chain(name: str, targets: Node) -> list[tuple[str, Node]]:
    """The target and what it extends, weakest first."""
    chain: list[tuple[str, Node]] = []
    position = targets.position
    while name:
        if name not in targets.children:
            raise ConfigError(
                f"extends: unknown target {name!r}",
                next_step=did_you_mean(name, targets.children),
                position=position,
            )
        if name in (seen for seen, _ in chain):
            path = " -> ".join([*(seen for seen, _ in chain), name])
            raise ConfigError(f"circular extends: {path}", next_step="remove one of them", position=position)
        node = targets.children[name]
        _refuse_name(name, "targets", node.position)
        _refuse_unknown(node, (*shape_of(CellConfig).keys_at(()), *TARGET_KEYS), f"targets.{name}.")
        chain.append((name, node))
        parent = node.children.get("extends")
        if parent is None:
            break
        if not isinstance(parent.value, str):
            raise ConfigError("extends must name one target", position=parent.position)
        name, position = parent.value, parent.position
    return chain[::-1]


def _extended(targets: Node, with_cells: Collection[str]) -> dict[str, tuple[str, ...]]:
    """Targets without cells -> those with cells that extend them."""
    found: dict[str, list[str]] = {name: [] for name in targets.children if name not in with_cells}
    for name in targets.children:
        for parent, _ in _chain(name, targets) if name in with_cells else ():
            if parent in found:
                found[parent].append(name)
    return {name: tuple(users) for name, users in found.items()}


def _layer(node: Node) -> Node:
    return normalize(
        mapping({k: c for k, c in node.children.items() if k not in (*TARGET_KEYS, "opt_in")}, node.position)
    )


def _outlines(name: str, targets: Node, defaults: Node, archs: Mapping[str, Arch]) -> list[_Outline]:
    chain = _chain(name, targets)
    gpu_archs = next((n.children["gpu_archs"] for _, n in reversed(chain) if "gpu_archs" in n.children), None)
    if gpu_archs is None:
        return []  # a target that only others extend
    by_variant: dict[str, list[Node]] = {"": []}
    by_arch: dict[str, list[Node]] = {}
    opt_in: dict[str, bool] = {}
    for owner, node in chain:
        for kind, table in (("variants", by_variant), ("per_arch", by_arch)):
            group = node.children.get(kind)
            if group is None:
                continue
            _refuse_unknown(group, group.children, f"targets.{owner}.{kind}.")
            for key, child in group.children.items():
                _refuse_name(key, f"targets.{owner}.{kind}", child.position)
                known = shape_of(CellConfig).keys_at(())
                extra = ("opt_in",) if kind == "variants" else ()
                _refuse_unknown(child, (*known, *extra), f"targets.{owner}.{kind}.{key}.")
                table.setdefault(key, []).append(_layer(child))
                if flag := child.children.get("opt_in"):
                    opt_in[key] = _truth(flag)
    entries = _arch_entries(gpu_archs, archs)
    for key, layers in by_arch.items():
        if key not in archs and key not in (entry for entry, _ in entries):
            raise ConfigError(
                f"targets.{name}.per_arch: unknown arch {key!r}",
                next_step=did_you_mean(key, [entry for entry, _ in entries]),
                position=layers[0].position,
            )
    base = (defaults, *(_layer(node) for _, node in chain))
    return [
        _Outline(
            id="-".join(part for part in (name, arch, variant) if part),
            target=name,
            arch=arch,
            archs=members,
            variant=variant,
            opt_in=opt_in.get(variant, False),
            layers=(*base, *by_variant[variant], *by_arch.get(arch, ())),
        )
        for variant in by_variant
        for arch, members in entries
    ]


def _truth(node: Node) -> bool:
    if not isinstance(node.value, bool):
        raise ConfigError("opt_in must be true or false", position=node.position)
    return node.value


def _arch_entries(node: Node, archs: Mapping[str, Arch]) -> list[tuple[str, tuple[str, ...]]]:
    if not isinstance(node.value, tuple) or not node.value:
        raise ConfigError("gpu_archs must be a list", next_step="for instance [gfx942, gfx950]", position=node.position)
    entries: list[tuple[str, tuple[str, ...]]] = []
    for entry in node.value:
        group, members = _arch_entry(entry)
        for member in members:
            if member.value not in archs:
                raise ConfigError(
                    f"unknown arch {member.value!r}",
                    next_step=did_you_mean(str(member.value), archs),
                    position=member.position,
                )
        if group in (seen for seen, _ in entries):
            raise ConfigError(f"gpu_archs names {group!r} twice", position=entry.position)
        entries.append((group, tuple(str(member.value) for member in members)))
    return entries


def _arch_entry(entry: Node) -> tuple[str, tuple[Node, ...]]:
    """The name of an entry of gpu_archs, and the architectures that it stands for."""
    if isinstance(entry.value, str):
        return entry.value, (entry,)
    if isinstance(entry.value, Mapping) and len(entry.children) == 1:
        ((group, members),) = entry.children.items()
        listed = members.value if isinstance(members.value, tuple) else (members,)
        if listed and all(isinstance(member.value, str) for member in listed):
            _refuse_name(group, "gpu_archs", members.position)
            return group, listed
    raise ConfigError(
        "an entry of gpu_archs is neither a name nor a group of names",
        next_step="for instance [gfx942, {mi300: [gfx942, gfx950]}]",
        position=entry.position,
    )
