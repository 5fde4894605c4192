"""YAML with positions: every value knows the file and line that it was written in.

Scalars follow YAML 1.2's core schema, narrowed: ``true``/``false``, canonical decimal integers and ``null`` mean
themselves, everything else is text. So ``version: 7.10`` stays "7.10" and ``NIC: no`` stays "no".
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

import yaml

from rocmimg.errors import ConfigError, Position

TYPE_NAMES: Final = {dict: "a mapping", tuple: "a list", str: "text", int: "a number", bool: "true or false"}
_INTEGER: Final = re.compile(r"0|-?[1-9][0-9]*")
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f\x85\u2028\u2029]")
_LARGEST_FILE: Final = 8 << 20  # bytes
_DEEPEST: Final = 100
_MOST_NODES: Final = 1_000_000
# libyaml reads up to 1,024 characters of a line ahead of its events, and has a limit of its own from 0.2.6 on.
_OPENERS_IN_LINE: Final = 500
_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

Scalar = str | int | bool | None


@dataclass(frozen=True, slots=True)
class Node:
    """A value of a configuration file and where it stands."""

    value: Scalar | Mapping[str, Node] | tuple[Node, ...]
    position: Position

    @property
    def children(self) -> Mapping[str, Node]:
        """The mapping's entries; empty where this is not a mapping."""
        return self.value if isinstance(self.value, Mapping) else {}

    def plain(self) -> Any:
        """The value without positions: dict, tuple and scalars."""
        if isinstance(self.value, Mapping):
            return {key: child.plain() for key, child in self.value.items()}
        if isinstance(self.value, tuple):
            return tuple(child.plain() for child in self.value)
        return self.value

    def find(self, path: tuple[str | int, ...]) -> Node:
        """The node at ``path``, or the nearest one above it."""
        node = self
        for step in path:
            if isinstance(node.value, Mapping) and step in node.value:
                node = node.value[str(step)]
            elif isinstance(node.value, tuple) and isinstance(step, int) and step < len(node.value):
                node = node.value[step]
            else:
                break
        return node


def mapping(entries: Mapping[str, Node], position: Position) -> Node:
    """A mapping node that nobody can change afterwards."""
    return Node(MappingProxyType(dict(entries)), position)


def from_plain(value: Any, position: Position) -> Node:
    """A node tree in which every value stands at ``position``."""
    if isinstance(value, Mapping):
        return mapping({str(key): from_plain(child, position) for key, child in value.items()}, position)
    if isinstance(value, list | tuple):
        return Node(tuple(from_plain(child, position) for child in value), position)
    if isinstance(value, str | int | bool) or value is None:
        return Node(value, position)
    raise TypeError(type(value))


def read_yaml(path: Path, shown_as: str | None = None) -> Node:
    """Read one YAML file.

    Raises:
        ConfigError: the file is missing, not UTF-8, empty, not YAML, or holds a key twice, an alias or a control
            character.
    """
    name = shown_as or str(path)
    return parse_yaml(read_text(path, name), name)


def read_text(path: Path, name: str) -> str:
    """The text of a file of YAML; see :func:`read_yaml`."""
    try:
        if (size := path.stat().st_size) > _LARGEST_FILE:
            raise ConfigError(
                f"{name} has {size:,} bytes", why=f"the limit is {_LARGEST_FILE:,}", next_step="split it or shorten it"
            )
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise ConfigError(
            f"{name} does not exist", next_step="`rocmimg init` writes one, --file names another"
        ) from None
    except UnicodeDecodeError as error:
        raise ConfigError(f"{name} is not UTF-8", why=str(error), next_step="save it as UTF-8 text") from error
    except OSError as error:
        raise ConfigError(f"{name} cannot be read", why=error.strerror or str(error)) from error


@lru_cache(maxsize=64)
def parse_yaml(text: str, name: str) -> Node:
    """Parse YAML text; see :func:`read_yaml`. A tree never changes, so the same text has the same one."""
    try:
        _refuse_depth(text, name)
        root = yaml.compose(text, Loader=_Loader)
        if root is not None:
            _refuse_size(root, name)
            return _convert(root, name)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = Position(name, mark.line + 1, mark.column + 1) if mark else Position(name)
        why = "; ".join(part for part in (error.problem, error.context) if part)
        raise ConfigError("this is not YAML", why=why, next_step="fix the syntax", position=place) from None
    except yaml.YAMLError as error:
        raise ConfigError("this is not YAML", why=str(error).splitlines()[0], position=Position(name)) from None
    except UnicodeEncodeError as error:  # an argument of the command line in another encoding
        raise ConfigError(f"{name} is not UTF-8", why=str(error), next_step="write it as UTF-8 text") from None
    raise ConfigError("the file is empty", next_step="it needs at least `targets:`", position=Position(name, 1))


def _too_deep(place: Position) -> ConfigError:
    return ConfigError(
        "this is nested too deeply", why=f"the limit is {_DEEPEST} levels", next_step="write it flatter", position=place
    )


def _refuse_depth(text: str, name: str) -> None:
    """Stop before the parser does: composing recurses, and how deep it may go depends on the version of PyYAML."""
    crowded = any(line.count("[") + line.count("{") > _OPENERS_IN_LINE for line in text.splitlines())
    depth = 0
    for event in yaml.parse(text, Loader=yaml.SafeLoader if crowded else _Loader):
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > _DEEPEST:
            mark = event.start_mark
            raise _too_deep(Position(name, mark.line + 1, mark.column + 1) if mark else Position(name))


def _refuse_size(root: yaml.Node, name: str) -> None:
    """Refuse what a few aliases of aliases grow to, before it is expanded."""
    sizes: dict[int, tuple[int, int]] = {}

    def measure(node: yaml.Node, open_nodes: frozenset[int]) -> tuple[int, int]:
        if isinstance(node, yaml.ScalarNode):
            return 1, 0
        if known := sizes.get(id(node)):
            return known
        place = Position(name, node.start_mark.line + 1, node.start_mark.column + 1)
        if id(node) in open_nodes:
            raise ConfigError("an alias contains itself", next_step="write the value out", position=place)
        children: list[yaml.Node] = []
        if isinstance(node, yaml.MappingNode):
            children = [child for entry in node.value for child in entry]
        elif isinstance(node, yaml.SequenceNode):
            children = node.value
        count, height = 1, 0
        for child in children:
            below, under = measure(child, open_nodes | {id(node)})
            count += below
            height = max(height, under + 1)
        if height > _DEEPEST:
            raise _too_deep(place)
        if count > _MOST_NODES:
            raise ConfigError(
                f"this grows to more than {_MOST_NODES:,} values",
                why="aliases stand for aliases",
                next_step="use fewer aliases, or `extends`",
                position=place,
            )
        sizes[id(node)] = count, height
        return count, height

    measure(root, frozenset())


def _convert(node: yaml.Node, name: str) -> Node:
    place = Position(name, node.start_mark.line + 1, node.start_mark.column + 1)
    if isinstance(node, yaml.MappingNode):
        entries: dict[str, Node] = {}
        for key_node, value_node in node.value:
            key = key_node.value
            at = Position(name, key_node.start_mark.line + 1, key_node.start_mark.column + 1)
            if not isinstance(key, str):
                raise ConfigError("a key must be text", position=at)
            if key == "<<":
                raise ConfigError("merge keys are not supported", next_step="use `extends`", position=at)
            if key in entries:
                first = entries[key].position.line
                raise ConfigError(
                    f"duplicate key {key!r}", why=f"line {first} has it too", next_step="keep one", position=at
                )
            if node.flow_style and _is_left_out(value_node):
                raise ConfigError(
                    f"{key!r} has no value",
                    why="between braces a colon needs a space after it, and a shell takes quotes away",
                    next_step="write {KEY: VALUE}, or {KEY: null} to remove what is inherited",
                    position=at,
                )
            child = _convert(value_node, name)
            entries[key] = Node(child.value, at)
        return mapping(entries, place)
    if isinstance(node, yaml.SequenceNode):
        return Node(tuple(_convert(child, name) for child in node.value), place)
    if not isinstance(node, yaml.ScalarNode):
        raise TypeError(type(node))
    text = str(node.value)
    if match := _CONTROL.search(text):
        raise ConfigError(
            f"a value holds the control character {match.group()!r}",
            why="a Dockerfile instruction is one line",
            next_step="write it on one line, without tabs",
            position=place,
        )
    return Node(scalar(text) if not node.style else text, place)


def _is_left_out(node: yaml.Node) -> bool:
    return isinstance(node, yaml.ScalarNode) and not node.value and not node.style


def scalar(text: str) -> Scalar:
    """What an unquoted YAML scalar means here."""
    if text in ("true", "false"):
        return text == "true"
    if text in ("", "~", "null"):
        return None
    return int(text) if _INTEGER.fullmatch(text) else text
