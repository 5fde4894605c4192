"""Every value of a cell, and where it was written."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from rocmimg.errors import ConfigError, Position, did_you_mean
from rocmimg.matrix.adopted import OF_RECIPES
from rocmimg.matrix.cell import Cell, Matrix


@dataclass(frozen=True, slots=True)
class Fact:
    """One value of a cell and where it comes from."""

    key: str
    value: Any
    position: Position


def explain(matrix: Matrix, cell: Cell, key: str = "") -> list[Fact]:
    """Every value below ``key``, in the schema's order.

    Raises:
        ConfigError: the cell has nothing under ``key``.
    """
    facts = list(_facts(matrix, cell))
    chosen = [fact for fact in facts if not key or fact.key == key or fact.key.startswith(f"{key}.")]
    if not chosen:
        heads = {".".join(fact.key.split(".")[: key.count(".") + 1]) for fact in facts}
        raise ConfigError(
            f"{cell.id} has no {key!r}", next_step=did_you_mean(key, heads), position=Position("command line")
        )
    return chosen


def _facts(matrix: Matrix, cell: Cell) -> Iterator[Fact]:
    config = cell.config.model_dump()
    config["flags"] = dict(cell.flags)
    by_name = {component.name: component for component in cell.components}
    for name, component in by_name.items() if cell.has_recipes else ():
        config["components"][name]["options"] = dict(component.options)
        if component.git and not component.shared_with:
            config["components"][name]["ref"] = component.git.ref
    if cell.dockerfile:
        config["dockerfile"]["args"] = cell.build_args
    for path, value in _leaves(config, ()):
        if not cell.has_recipes and path[0] in OF_RECIPES and path[0] != "base":
            continue
        if path[0] in ("components", "contents") and value in ("", (), {}) and _where(cell, path) is None:
            continue  # a component's unused keys say nothing
        yield Fact(".".join(path), value, _where(cell, path) or _recipe_position(matrix, cell, path))


def _leaves(value: Any, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Any]]:
    if isinstance(value, Mapping) and value:
        for key, child in value.items():
            yield from _leaves(child, (*path, str(key)))
    elif value is not None and value != {}:
        yield path, value


def _where(cell: Cell, path: tuple[str, ...]) -> Position | None:
    node = cell.node
    for step in path:
        if step not in node.children:
            return None
        node = node.children[step]
    return node.position


def _recipe_position(matrix: Matrix, cell: Cell, path: tuple[str, ...]) -> Position:
    if path[0] == "flags":
        owners = [c.uses or name for name, c in cell.config.components.items()]
        for recipe in owners:
            if path[1] in matrix.catalogue[recipe].flags:
                return matrix.catalogue.position(recipe, ("flags", path[1], "default"))
    if path[0] == "components" and len(path) == 4 and path[2] == "options":  # noqa: PLR2004
        component = next(c for c in cell.components if c.name == path[1])
        return matrix.catalogue.position(component.recipe.name, ("options", path[3], "default"))
    return Position("default")
