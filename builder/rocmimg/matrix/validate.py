"""pydantic's verdict on a tree of nodes, told in terms of the file."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import Any, Final, TypeVar

from pydantic import BaseModel, ValidationError

from rocmimg.errors import ConfigError, ConfigErrors, Position
from rocmimg.matrix.nodes import TYPE_NAMES, Node
from rocmimg.matrix.shape import shape_of

M = TypeVar("M", bound=BaseModel)
_SUGGESTIONS: Final = 4

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


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """A next step for an unknown word: the nearest known one, or all of them."""
    known = sorted(known)
    close = _longer(word, known) or _closest(word, known)
    if close:
        return f"did you mean {' or '.join(map(repr, close[:_SUGGESTIONS]))}?"
    return f"known: {', '.join(known)}" if known else "none is known here"


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


def _longer(word: str, known: list[str]) -> list[str]:
    """Words that begin with this one, without those that are longer forms of another: targets, not all their cells."""
    longer = [name for name in known if word and name.startswith(word)]
    return [name for name in longer if not any(name != other and name.startswith(other) for other in longer)]


def _closest(word: str, known: list[str]) -> list[str]:
    """The nearest words: all that are equally near, since one of several releases is as good a guess as another."""
    close = difflib.get_close_matches(word, known, n=len(known) or 1, cutoff=0.6)
    ratios = [difflib.SequenceMatcher(None, name, word).ratio() for name in close]
    return sorted(name for name, ratio in zip(close, ratios, strict=True) if ratio == ratios[0])


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
