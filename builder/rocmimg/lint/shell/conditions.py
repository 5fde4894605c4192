"""Branches of if and case, and whether they run when values are known."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Final

from tree_sitter import Node

from rocmimg.lint.expand import Lookup, expand
from rocmimg.lint.shell.model import UNKNOWN, Condition, Word
from rocmimg.lint.shell.words import Words

_MAX_DEPTH: Final = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Branch:
    """One way through an if or a case."""

    tests: list[Node]
    body: list[Node]
    guards: tuple[Condition, ...]


def branches(node: Node, words: Words) -> Iterator[Branch]:
    """The branches of an if or case statement, in order."""
    if node.type == "case_statement":
        yield from _case(node, words)
        return
    excluded: list[Condition] = []
    for clause in (node, *(child for child in node.named_children if child.type in {"elif_clause", "else_clause"})):
        tests, body = _clause(clause)
        guards = tuple(Condition(kind="not", parts=(other,)) for other in excluded)
        if tests:
            excluded.append(condition(tests[-1], words))
            guards = (*guards, excluded[-1])
        yield Branch(tests=tests, body=body, guards=guards)


def _clause(node: Node) -> tuple[list[Node], list[Node]]:
    tests: list[Node] = []
    body: list[Node] = []
    chosen = body if node.type == "else_clause" else tests
    for child in node.children:
        if child.type == "then":
            chosen = body
        elif child.is_named and child.type not in {"elif_clause", "else_clause"}:
            chosen.append(child)
    return tests, body


def _case(node: Node, words: Words) -> Iterator[Branch]:
    value = node.child_by_field_name("value")
    if value is None:
        return
    subject = words.word(value)
    earlier: list[Word] = []
    for item in node.named_children:
        if item.type != "case_item":
            continue
        patterns: list[Word] = []
        body: list[Node] = []
        closed = False
        for child in item.children:
            closed |= child.type == ")"
            if child.is_named:
                if closed:
                    body.append(child)
                else:
                    patterns.append(words.word(child))
        guard = Condition(kind="case", words=(subject, *patterns), excluded=tuple(earlier))
        earlier.extend(patterns)
        yield Branch(tests=[], body=body, guards=(guard,))


def conjunction(left: Condition, right: Condition) -> Condition:
    """Both; what no value can decide is in it once."""
    parts = [part for side in (left, right) for part in (side.parts if side.kind == "all" else (side,))]
    decidable = tuple(part for part in parts if part.kind != "unknown")
    if not decidable:
        return UNKNOWN
    return Condition(kind="all", parts=decidable if len(decidable) == len(parts) else (*decidable, UNKNOWN))


def condition(node: Node, words: Words, depth: int = 0) -> Condition:
    """The test that a node is; unknown where it is none of the simple ones."""
    if node.type == "list" and depth < _MAX_DEPTH:
        kinds = {child.type for child in node.children}
        parts = tuple(condition(child, words, depth + 1) for child in node.named_children)
        return Condition(kind="all" if "&&" in kinds else "any", parts=parts)
    if node.type == "negated_command" and node.named_children:
        return Condition(kind="not", parts=(condition(node.named_children[-1], words, depth + 1),))
    if node.type == "test_command" and node.named_children:
        inner = node.named_children[0]
        if inner.type == "binary_expression" and len(inner.named_children) == 2:  # noqa: PLR2004
            operator = next((c.type for c in inner.children if not c.is_named), "")
            if operator in {"=", "==", "!="}:
                left, right = map(words.word, inner.named_children)
                return Condition(kind="test", operator=operator, words=(left, right))
        if inner.type == "unary_expression" and inner.named_children:
            operator = (inner.children[0].text or b"").decode()
            return Condition(kind="test", operator=operator, words=(words.word(inner.named_children[-1]),))
        if inner.type in {"string", "simple_expansion", "expansion"}:
            return Condition(kind="test", operator="-n", words=(words.word(inner),))
    if node.type == "command" and (node.named_children[0].text if node.named_children else b"") == b"test":
        found = [words.word(child) for child in node.named_children[1:]]
        if len(found) == 3 and found[1].value in {"=", "==", "!="}:  # noqa: PLR2004
            return Condition(kind="test", operator=found[1].value, words=(found[0], found[2]))
        if len(found) == 2:  # noqa: PLR2004
            return Condition(kind="test", operator=found[0].value, words=(found[1],))
    return UNKNOWN


def holds(condition: Condition, lookup: Lookup) -> bool | None:
    """Whether a condition is true under known values; None where that is open."""
    match condition.kind:
        case "all" | "any":
            results = [holds(part, lookup) for part in condition.parts]
            decisive = condition.kind == "any"
            if decisive in results:
                return decisive
            return None if None in results else not decisive
        case "not":
            result = holds(condition.parts[0], lookup)
            return None if result is None else not result
        case "test":
            values = [_resolved(word, lookup) for word in condition.words]
            if any(value is None for value in values):
                return None
            if condition.operator in {"-n", "-z"}:
                return bool(values[0]) == (condition.operator == "-n")
            if condition.operator in {"=", "==", "!="}:
                return (values[0] == values[1]) == (condition.operator != "!=")
            return None
        case "case":
            subject = _resolved(condition.words[0], lookup)
            if subject is None:
                return None
            if any(fnmatchcase(subject, word.value) for word in condition.excluded):
                return False
            return any(fnmatchcase(subject, word.value) for word in condition.words[1:])
        case _:
            return None


def _resolved(word: Word, lookup: Lookup) -> str | None:
    return word.value if word.single or word.literal else expand(word.value, lookup)
