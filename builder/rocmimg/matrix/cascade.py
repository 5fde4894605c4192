"""How layers of configuration become one: pure functions over nodes."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import reduce
from pathlib import Path
from typing import Final

from rocmimg.errors import ConfigError, Position
from rocmimg.matrix.model import CellConfig, Network
from rocmimg.matrix.nodes import Node, mapping, parse_yaml, read_yaml
from rocmimg.matrix.shape import shape_of
from rocmimg.matrix.validate import unknown_key, validate

_SET: Final = re.compile(r"((?:[^.=\[\]]+|\[[^\]]+\])(?:\.[^.=\[\]]+|\[[^\]]+\])*)=(.*)", re.DOTALL)
_STEP: Final = re.compile(r"\[([^\]]+)\]|([^.=\[\]]+)")


def normalize(layer: Node) -> Node:
    """A layer in its long form: ``base: IMAGE`` is ``base: {image: IMAGE}``, ``dockerfile: PATH`` has a ``path``."""
    long = {
        key: mapping({first: layer.children[key]}, layer.children[key].position)
        for key, first in (("base", "image"), ("dockerfile", "path"))
        if key in layer.children and isinstance(layer.children[key].value, str)
    }
    return mapping({**layer.children, **long}, layer.position) if long else layer


def merge(layers: list[Node]) -> Node:
    """The layers, weakest first, as one; see :mod:`rocmimg.matrix.model` for the rules."""
    return reduce(lambda under, over: _merge(under, over, ()), layers)


def _merge(under: Node, over: Node, path: tuple[str, ...]) -> Node:
    rule = shape_of(CellConfig).inherit_at(path)
    if isinstance(under.value, tuple) and isinstance(over.value, tuple) and rule == "append":
        return Node(under.value + over.value, over.position)
    if rule == "replace" or not (_is_mapping(under) and _is_mapping(over)):
        return over
    entries = dict(under.children)
    for key, child in over.children.items():
        if child.value is None:
            entries.pop(key, None)
        else:
            entries[key] = _merge(entries[key], child, (*path, key)) if key in entries else _stripped(child)
    return mapping(entries, over.position if not under.children else under.position)


def _stripped(node: Node) -> Node:
    """``node`` without null entries: nothing was inherited that they could remove."""
    if not _is_mapping(node):
        return node
    return mapping({k: _stripped(c) for k, c in node.children.items() if c.value is not None}, node.position)


def _is_mapping(node: Node) -> bool:
    return not isinstance(node.value, tuple | str | int | bool) and node.value is not None


def parse_set(text: str, source: str = "command line") -> Node:
    """``--set PATH=VALUE`` as a layer; a key with dots stands in brackets, and ``@FILE`` is a value in YAML.

    Raises:
        ConfigError: ``=`` or the path is missing, a wrong value, or an unknown first key.
    """
    place = Position(source)
    match = _SET.fullmatch(text)
    if match is None:
        raise ConfigError(
            f"--set {text}: expected PATH=VALUE",
            next_step="for instance --set version=v1, --set 'network.git_mirrors[https://github.com/]=/srv/mirrors' or "
            "--set network.git_mirrors=@mirrors.yaml",
            position=place,
        )
    path, value = match.groups()
    steps = [bracketed or plain for bracketed, plain in _STEP.findall(path)]
    if steps[0] in ("gpu_archs", "extends", "variants", "per_arch"):
        raise ConfigError(
            f"{steps[0]} cannot be set for a cell", next_step="select cells with --target and --arch", position=place
        )
    known = shape_of(CellConfig).keys_at(())
    if steps[0] not in known:
        raise unknown_key(steps[0], known, place)
    if value.startswith("@"):
        node = read_yaml(Path(value[1:]))
    else:
        node = _at(parse_yaml(value, f"--set {path}") if value.strip() else Node("", place), place)
    for step in reversed(steps):
        node = mapping({step: node}, place)
    return normalize(node)


def set_network(texts: Iterable[str]) -> Network:
    """The network settings of ``--set`` values alone."""
    layers = [mapping({}, Position("command line")), *map(parse_set, texts)]
    found = merge(layers).children.get("network")
    return validate(Network, found, ("network",)) if found else Network()


def _at(node: Node, place: Position) -> Node:
    if isinstance(node.value, tuple):
        return Node(tuple(_at(child, place) for child in node.value), place)
    if _is_mapping(node):
        return mapping({key: _at(child, place) for key, child in node.children.items()}, place)
    return Node(node.value, place)
