"""One cell's merged configuration -> Cell: recipes found, flags and options typed, components ordered, tags filled."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from graphlib import CycleError, TopologicalSorter

from rocmimg.errors import ConfigError, ConfigErrors
from rocmimg.matrix.cell import Cell, ResolvedComponent
from rocmimg.matrix.model import CellConfig, Component, OptionValue
from rocmimg.matrix.nodes import Node
from rocmimg.matrix.recipe import Catalogue, Declaration
from rocmimg.matrix.tags import references
from rocmimg.matrix.validate import did_you_mean, validate


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
) -> Cell:
    """The cell that ``node`` describes.

    Raises:
        ConfigErrors: what is wrong with it.
    """
    config = validate(CellConfig, node)
    flags = _flags(config, node, catalogue)
    parts = [
        _component(name, component, node, catalogue, flags)
        for name, component in config.components.items()
        if component.enabled
    ]
    components = _ordered([part for part in parts if part is not None], node)
    fields = {
        "version": config.version,
        "target": target,
        "arch": arch,
        "alias": alias,
        "variant": variant,
        "variant_suffix": f"-{variant}" if variant else "",
    }
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
        tags=references(config, "tags", fields, node),
        aliases=references(config, "aliases", fields, node),
        node=node,
    )


def _recipe_name(name: str, component: Component, node: Node, catalogue: Catalogue) -> str:
    recipe = component.uses or name
    if recipe not in catalogue:
        key = "uses" if component.uses else ""
        place = node.find(("components", name, key) if key else ("components", name)).position
        raise ConfigError(
            f"component {name}: there is no recipe {recipe!r}",
            why="a recipe is templates/components/<name>.yaml with its template beside it",
            next_step=did_you_mean(recipe, catalogue.names),
            position=place,
        )
    return recipe


def _typed(value: object, declaration: Declaration, what: str, node: Node) -> OptionValue:
    try:
        return declaration.check(value)
    except ValueError as error:
        raise ConfigError(f"{what} is wrong", why=str(error), position=node.position) from None


def _flags(config: CellConfig, node: Node, catalogue: Catalogue) -> Mapping[str, bool | int | str]:
    declared: dict[str, Declaration] = {}
    for name, component in config.components.items():
        declared |= catalogue[_recipe_name(name, component, node, catalogue)].flags
    known = catalogue.flags()
    found: dict[str, bool | int | str] = {name: _atom(declared[name].default) for name in declared}
    errors: list[ConfigError] = []
    for name, value in config.flags.items():
        place = node.find(("flags", name))
        if name not in known:
            errors.append(
                ConfigError(f"unknown flag {name}", next_step=did_you_mean(name, known), position=place.position)
            )
        elif name in declared:
            found[name] = _atom(_typed(value, declared[name], f"flag {name}", place))
    if errors:
        raise ConfigErrors(errors)
    return found


def _atom(value: OptionValue) -> bool | int | str:
    assert not isinstance(value, tuple), "flags have no list type"  # noqa: S101
    return value


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
                        why=f"only {takers} takes it",
                        next_step="remove the flag, or add the component",
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


def _component(
    name: str, component: Component, node: Node, catalogue: Catalogue, flags: Mapping[str, bool | int | str]
) -> ResolvedComponent | None:
    recipe = catalogue[_recipe_name(name, component, node, catalogue)]
    here = node.find(("components", name))

    def wrong(key: str, what: str, next_step: str) -> ConfigError:
        place = here.children[key].position if key in here.children else here.position
        return ConfigError(f"component {name}: {what}", next_step=next_step, position=place)

    options: dict[str, OptionValue] = {key: option.default for key, option in recipe.options.items()}
    for key, value in component.options.items():
        if key not in recipe.options:
            raise ConfigError(
                f"component {name}: {recipe.name} takes no option {key!r}",
                next_step=did_you_mean(key, recipe.options),
                position=here.find(("options", key)).position,
            )
        place = here.find(("options", key))
        options[key] = _typed(value, recipe.options[key], f"components.{name}.options.{key}", place)
    source = component.source.partition(":")[0]
    if "none" in recipe.sources:
        if component.repo or component.ref or source != "git":
            key = "repo" if component.repo else "ref" if component.ref else "source"
            raise wrong(key, f"{recipe.name} has no source of its own", f"remove {key}")
    elif source not in recipe.sources:
        raise wrong("source", f"{recipe.name} cannot come from {source}", f"use {' or '.join(recipe.sources)}")
    elif source == "git" and not (component.repo and component.ref):
        missing = "repo" if not component.repo else "ref"
        raise wrong(missing, f"{missing} is missing", f"add {missing}, or source: local:FOLDER")
    if component.install and component.install not in recipe.install:
        ways = " or ".join(recipe.install) or "nothing: it is no Python package"
        raise wrong("install", f"{recipe.name} cannot be installed as {component.install}", f"it takes {ways}")
    if recipe.when and not flags[recipe.when]:
        return None
    return ResolvedComponent(
        name=name,
        recipe=recipe,
        config=component,
        install=component.install or (recipe.install[0] if recipe.install else None),
        module=component.module or recipe.module,
        directory=component.directory or recipe.directory or name,
        options=options,
        position=here.position,
    )


def _ordered(components: list[ResolvedComponent], node: Node) -> tuple[ResolvedComponent, ...]:
    by_recipe: dict[str, list[str]] = {}
    for component in components:
        by_recipe.setdefault(component.recipe.name, []).append(component.name)
    graph = {
        c.name: [n for recipe in (*c.recipe.needs, *c.recipe.after) for n in by_recipe.get(recipe, ())]
        for c in components
    }
    rank = {component.name: index for index, component in enumerate(components)}
    sorter = TopologicalSorter(graph)
    try:
        sorter.prepare()
    except CycleError as error:
        circle: list[str] = error.args[1]
        raise ConfigError(
            "components need each other in a circle",
            why=" -> ".join(circle),
            next_step="remove one `needs` or `after` from a recipe",
            position=node.find(("components", circle[0])).position,
        ) from None
    order: list[str] = []
    ready: list[str] = []
    while sorter.is_active():
        ready = sorted([*ready, *sorter.get_ready()], key=rank.__getitem__)
        first = ready.pop(0)
        order.append(first)
        sorter.done(first)
    by_name = {component.name: component for component in components}
    return tuple(by_name[name] for name in order)


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
        ConfigError: a base is no cell, no single cell, or goes in a circle.
    """
    linked = tuple(replace(cell, base_cell=_base_id(cell, cells)) if cell.base_cell else cell for cell in cells)
    graph = {cell.id: [cell.base_cell] for cell in linked if cell.base_cell}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        circle: list[str] = error.args[1]
        culprit = next(cell for cell in linked if cell.id == circle[0])
        raise ConfigError(
            "cells start from each other in a circle",
            why=" -> ".join(circle),
            next_step="give one of them an image",
            position=culprit.position("base", "cell"),
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
