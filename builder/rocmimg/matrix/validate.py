"""pydantic's verdict on a tree of nodes, told in terms of the file."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Final, TypeVar

from pydantic import BaseModel, ValidationError

from rocmimg.errors import ConfigError, ConfigErrors, Position, did_you_mean
from rocmimg.matrix.nodes import TYPE_NAMES, Node
from rocmimg.matrix.shape import shape_of
from rocmimg.terminal import holds_secrets

M = TypeVar("M", bound=BaseModel)

_WANTED = {
    "string_type": "text",
    "bool_type": "true or false",
    "int_type": "a number",
    "tuple_type": "a list",
    "dict_type": "a mapping",
    "mapping_type": "a mapping",
    "model_type": "a mapping",
    "model_attributes_type": "a mapping",
}


def validate(model: type[M], node: Node, at: tuple[str | int, ...] = ()) -> M:
    """``node`` as a ``model``; ``at`` is the node's own path, for messages.

    Raises:
        ConfigErrors: everything that is wrong, each with its position.
    """
    try:
        return model.model_validate(node.plain())
    except ValidationError as error:
        # A union reports one error per member; the first at a place says enough.
        found: dict[tuple[object, ...], ConfigError] = {}
        for detail in error.errors(include_url=False):
            place = _place(node, detail["loc"])
            if (place := place or ()) not in found:
                found[place] = _error(model, node, at, detail, place)
        raise ConfigErrors(list(found.values())) from None


def refuse_passwords(node: Node, *, but: str) -> None:
    """Raise a ConfigErrors where a URL with a password is anywhere but under the key ``but``."""
    errors = [
        ConfigError(
            f"{'.'.join(map(str, path))} has a URL with a password or a token",
            why="it would stay in the image, or in its history, labels and records",
            next_step="write the URL without it; what a build fetches from belongs under network, which is mounted "
            "only, and what a container needs is given to it when it starts",
            position=found.position,
        )
        for path, found in _leaves(node, ())
        if path[:1] != (but,) and isinstance(found.value, str) and holds_secrets(found.value)
    ]
    if errors:
        raise ConfigErrors(errors)


def _leaves(node: Node, path: tuple[str | int, ...]) -> Iterator[tuple[tuple[str | int, ...], Node]]:
    children: Iterable[tuple[str | int, Node]] = (
        enumerate(node.value) if isinstance(node.value, tuple) else node.children.items()
    )
    yield path, node
    for key, child in children:
        yield from _leaves(child, (*path, key))


_RENAMED: Final = {
    "archs": ("architectures", "per_arch", "gpu_archs"),
    "candidates": ("candidate_repository",),
    "foundation": ("in_base_stage",),
    "keep": ("protect",),
    "remove": ("uninstall",),
    "requires": ("capabilities", "required_tiers"),
    "source": ("source_url",),
    "tools": ("common_pip", "build_pip"),
}
"""Keys of version 0.1 -> what each is called now, of which a place knows one."""


def unknown_key(path: str, known: Iterable[str], position: Position) -> ConfigError:
    """The error for a key that a place does not take; ``path`` is dotted."""
    key = path.rpartition(".")[2]
    known = tuple(known)
    if now := next((name for name in _RENAMED.get(key, ()) if name in known), None):
        return ConfigError(f"{path} is called {now} now", next_step="rename the key", position=position)
    return ConfigError(f"unknown key {path}", next_step=did_you_mean(key, known), position=position)


def _place(node: Node, loc: tuple[int | str, ...]) -> tuple[int | str, ...]:
    """``loc`` without the steps that pydantic adds for unions and keys."""
    place: list[int | str] = []
    for step in loc:
        children = node.value
        if isinstance(children, tuple) and isinstance(step, int) and step < len(children):
            node = children[step]
        elif step in node.children:
            node = node.children[str(step)]
        else:
            continue
        place.append(step)
    return tuple(place)


def _error(
    model: type[BaseModel], node: Node, at: tuple[int | str, ...], detail: Any, place: tuple[int | str, ...]
) -> ConfigError:
    culprit = node.find(place)
    name = ".".join(map(str, (*at, *place))) or "the file"
    kind = detail["type"]
    if kind == "extra_forbidden":
        known = shape_of(model).keys_at(place[:-1])
        return unknown_key(name, known, culprit.position)
    if kind == "missing":
        missing = ".".join(map(str, (*at, *place, detail["loc"][-1])))
        return ConfigError(f"{missing} is missing", next_step="add it", position=culprit.position)
    if kind in _WANTED:
        got = TYPE_NAMES.get(type(culprit.plain()), "nothing")
        hint = 'put it in quotes, "true"' if got == "true or false" and kind == "string_type" else ""
        return ConfigError(
            f"{name} must be {_WANTED[kind]}", why=f"it is {got}", next_step=hint, position=culprit.position
        )
    if kind == "literal_error":
        return ConfigError(
            f"{name} must be one of {detail['ctx']['expected']}",
            why=f"it is {culprit.plain()!r}",
            position=culprit.position,
        )
    why = str(detail["ctx"]["error"]) if kind == "value_error" else detail["msg"]
    return ConfigError(f"{name} is wrong", why=why, position=culprit.position)
