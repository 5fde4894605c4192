"""What a node of the grammar tells by itself, whatever stands around it."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator
from typing import Final

from tree_sitter import Node

from rocmimg.lint.syntax import SHELLS

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


def reads_script(node: Node) -> bool:
    """Whether this command is a shell without a script among its words, which reads one from its input."""
    words = [child for child in node.named_children if child.type in {"word", "string"}]
    plain = all((word.text or b"").startswith(b"-") for word in words)
    return plain and posixpath.basename(_name(node)) in SHELLS


def _name(node: Node) -> str:
    name = node.child_by_field_name("name") if node.type == "command" else None
    return _text(name) if name is not None else ""


def _text(node: Node) -> str:
    return (node.text or b"").decode(errors="replace")
