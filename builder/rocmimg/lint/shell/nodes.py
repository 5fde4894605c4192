"""What a node of the grammar tells by itself, whatever stands around it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from tree_sitter import Node

_NO_OPS: Final = frozenset({"true", ":", "echo", "printf"})


def errors(root: Node) -> Iterator[tuple[Node, str]]:
    """The outermost nodes that the grammar could not read, with their text or what is missing."""
    stack = [root] if root.has_error else []
    while stack:
        node = stack.pop()
        if node.is_error or node.is_missing:
            yield node, _text(node).strip() or f"{node.type} missing"
        elif node.has_error:
            stack.extend(reversed(node.children))


def is_no_op(node: Node) -> bool:
    """Whether this command does nothing but end well: ``|| true`` swallows what failed before it."""
    if node.type == "redirected_statement" and node.named_children:
        node = node.named_children[0]
    return _name(node) in _NO_OPS


def _name(node: Node) -> str:
    name = node.child_by_field_name("name") if node.type == "command" else None
    return _text(name) if name is not None else ""


def _text(node: Node) -> str:
    return (node.text or b"").decode(errors="replace")
