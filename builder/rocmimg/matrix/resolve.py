"""One cell's merged configuration -> Cell: recipes found, flags and options typed, components ordered, tags filled."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from string import Formatter
from typing import Final, Literal

from rocmimg.errors import ConfigError, ConfigErrors, did_you_mean
from rocmimg.matrix.adopted import contents, flag_fields, origin_of, used_flags
from rocmimg.matrix.cell import Cell, ResolvedComponent, part_fields
from rocmimg.matrix.components import ordered, recipe_name, refuse_shared_paths, resolve_component, typed
from rocmimg.matrix.dockerfile import filled, read_dockerfile
from rocmimg.matrix.model import Base, CellConfig, OptionValue
from rocmimg.matrix.nodes import Node, mapping
from rocmimg.matrix.recipe import Catalogue, Declaration
from rocmimg.matrix.validate import refuse_passwords, validate

_TAG: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}")


def resolve_cell(
    *,
    cell_id: str,
    target: str,
    arch: str,
    archs: tuple[str, ...],
    variant: str,
    opt_in: bool,
    alias: str,
    node: Node,
    catalogue: Catalogue,
    folder: Path,
) -> Cell:
    """The cell that ``node`` describes.

    Raises:
        ConfigErrors: what is wrong with it.
    """
    config = validate(CellConfig, node)
    refuse_passwords(node, but="network")
    fields = {
        "version": config.version,
        "target": target,
        "arch": arch,
        "alias": alias,
        "variant": variant,
        "variant_suffix": f"-{variant}" if variant else "",
    }
    origin = origin_of(node)
    dockerfile = None
    argument_fields: Mapping[str, str] = {}
    if origin == "recipes":
        flags = _flags(config, node, catalogue)
        components = _components(config, node, catalogue, flags, archs)
    else:
        components = contents(config, origin, node, archs)
        flags = used_flags(config)
        argument_fields = {**fields, "archs": ";".join(archs), **flag_fields(config)}
        start = node.children.get("prebuilt")
        if config.dockerfile:
            known = {**argument_fields, **part_fields(components)}
            dockerfile = read_dockerfile(config.dockerfile, node, folder, known)
            root = dockerfile.stages(filled(dockerfile.args, known)).root(dockerfile.stage or None)
            start = Node(root.reference, dockerfile.position(root.line))
        assert start is not None  # noqa: S101
        config = config.model_copy(update={"base": Base(image=str(start.value))})
        node = mapping({**node.children, "base": mapping({"image": start}, start.position)}, node.position)
    return Cell(
        id=cell_id,
        target=target,
        arch=arch,
        archs=archs,
        variant=variant,
        opt_in=opt_in,
        config=config,
        flags=flags,
        components=components,
        base_cell=config.base.cell or None,
        tags=_references(config, "tags", fields, node),
        aliases=_references(config, "aliases", fields, node),
        node=node,
        dockerfile=dockerfile,
        fields=argument_fields,
    )


def _components(
    config: CellConfig,
    node: Node,
    catalogue: Catalogue,
    flags: Mapping[str, bool | int | str],
    archs: tuple[str, ...],
) -> tuple[ResolvedComponent, ...]:
    parts = [
        resolve_component(name, component, node, catalogue, flags, config, archs)
        for name, component in config.components.items()
        if component.enabled
    ]
    components = ordered([part for part in parts if part is not None], node)
    refuse_shared_paths(components)
    return components


def _flags(config: CellConfig, node: Node, catalogue: Catalogue) -> Mapping[str, bool | int | str]:
    known = catalogue.flags()
    declared: dict[str, Declaration] = {}
    for name, component in config.components.items():
        recipe = catalogue[recipe_name(name, component, node, catalogue)]
        declared |= recipe.flags
        if recipe.when:
            declared[recipe.when] = known[recipe.when]
    found: dict[str, bool | int | str] = {name: _atom(declared[name].default) for name in declared}
    errors: list[ConfigError] = []
    for name, value in config.flags.items():
        place = node.find(("flags", name))
        if name not in known:
            errors.append(
                ConfigError(f"unknown flag {name}", next_step=did_you_mean(name, known), position=place.position)
            )
        elif name in declared:
            found[name] = _atom(typed(value, declared[name], f"flag {name}", place))
    if errors:
        raise ConfigErrors(errors)
    return found


def _atom(value: OptionValue) -> bool | int | str:
    assert not isinstance(value, tuple), "flags have no list type"  # noqa: S101
    return value


def _references(
    config: CellConfig, key: Literal["tags", "aliases"], fields: Mapping[str, str], node: Node
) -> tuple[str, ...]:
    """The patterns under ``key`` as full image references.

    Raises:
        ConfigError: a pattern has an unknown field, or its result is not a tag.
    """
    repository = "/".join(part for part in (config.registry, config.image) if part)
    return tuple(
        f"{repository}:{_fill(pattern, fields, node.find((key, index)))}"
        for index, pattern in enumerate(getattr(config, key))
    )


def _fill(pattern: str, fields: Mapping[str, str], node: Node) -> str:
    try:
        used = [name for _, name, _, _ in Formatter().parse(pattern) if name is not None]
    except ValueError as error:
        raise ConfigError(f"tag pattern {pattern!r} is wrong", why=str(error), position=node.position) from None
    for name in used:
        if name not in fields:
            raise ConfigError(
                f"tag pattern {pattern!r} has an unknown field {name!r}",
                next_step=did_you_mean(name, fields),
                position=node.position,
            )
    tag = pattern.format_map(fields)
    if not _TAG.fullmatch(tag):
        raise ConfigError(
            f"{tag!r} is not an image tag",
            why="a tag has up to 128 letters, digits and . _ -",
            next_step="change the pattern or the version",
            position=node.position,
        )
    return tag


def unused_default_flags(defaults: Node, cells: Iterable[Cell], catalogue: Catalogue) -> list[ConfigError]:
    """A flag is an error where no component of the cell takes it; one from ``defaults`` where none of any cell does."""
    errors: list[ConfigError] = []
    shared = {child.position for child in defaults.find(("flags",)).children.values()}
    used: set[str] = set()
    cells = tuple(cells)
    for cell in cells:
        used |= cell.flags.keys()
        for name in cell.config.flags:
            place = cell.position("flags", name)
            if name not in cell.flags and place not in shared:
                takers = " or ".join(catalogue.declaring(name))
                errors.append(
                    ConfigError(
                        f"flag {name} has no effect on {cell.id}",
                        why=f"only {takers} takes it" if cell.has_recipes else f"no build argument has {{{name}}}",
                        next_step="remove the flag, or add the component" if cell.has_recipes else "remove the flag",
                        position=place,
                    )
                )
    flags = defaults.children.get("flags")
    for name, child in flags.children.items() if flags and cells else ():
        if name not in used:
            errors.append(
                ConfigError(
                    f"flag {name} has no effect", why="no component of any cell takes it", position=child.position
                )
            )
    return errors


def refuse_shared_tags(cells: list[Cell]) -> None:
    """Raise a ConfigError where two cells have one tag."""
    owners: dict[str, Cell] = {}
    for cell in cells:
        for tag in cell.tags:
            if tag in owners:
                raise ConfigError(
                    f"{owners[tag].id} and {cell.id} have one tag, {tag}",
                    why="the later build would replace the earlier one",
                    next_step="use {target}, {alias} and {variant_suffix} in `tags`",
                    position=cell.position("tags"),
                )
            owners[tag] = cell


def link_bases(cells: list[Cell]) -> tuple[Cell, ...]:
    """The cells with ``base_cell`` as ids.

    Raises:
        ConfigError: a base is not a cell, is several cells, or starts from itself.
    """
    by_tag = {tag: cell.id for cell in cells for tag in cell.tags}
    linked = tuple(
        replace(cell, base_cell=_base_id(cell, cells))
        if cell.base_cell
        else replace(cell, base_cell=by_tag.get(cell.config.base.image))
        if cell.dockerfile
        else cell
        for cell in cells
    )
    graph = {cell.id: [cell.base_cell] for cell in linked if cell.base_cell}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        circle: list[str] = error.args[1]
        culprit = next(cell for cell in linked if cell.id == circle[0])
        raise ConfigError(
            f"circular bases: {' -> '.join(circle)}",
            next_step="give one of them an image",
            position=culprit.position("base", "cell" if culprit.has_recipes else "image"),
        ) from None
    return linked


def _base_id(cell: Cell, cells: list[Cell]) -> str:
    wanted = cell.base_cell
    place = cell.position("base", "cell")
    if any(other.id == wanted for other in cells):
        return str(wanted)
    of_target = [other for other in cells if other.target == wanted]
    if not of_target:
        known = dict.fromkeys([*(other.target for other in cells), *(other.id for other in cells)])
        raise ConfigError(
            f"base: there is no cell or target {wanted!r}", next_step=did_you_mean(str(wanted), known), position=place
        )
    fitting = [other for other in of_target if set(cell.archs) <= set(other.archs)]
    same = [other for other in fitting if other.variant == cell.variant] or [o for o in fitting if not o.variant]
    if len(same) != 1:
        candidates = ", ".join(other.id for other in fitting or of_target)
        raise ConfigError(
            f"base: {wanted} has {'no' if not same else 'more than one'} cell for {' and '.join(cell.archs)}",
            next_step=f"name one: {candidates}",
            position=place,
        )
    return same[0].id
