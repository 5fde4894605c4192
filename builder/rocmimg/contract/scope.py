"""What the names of a framework's scope stand for while its statements are followed in order."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator
from typing import Final

from rocmimg.contract.expressions import dotted, text_of

OTHER: Final = "?"
"""Stands for anything that is not of the package."""
PROBE: Final = "probe:"
"""A truth value that tells whether the target behind it is there."""
TEXT: Final = "text:"
"""A literal string."""

TESTS: Final = re.compile(rb"hasattr\(|getattr\(|find_spec\(")
_LONGEST_TEST: Final = 40
"""Lines of a function that can still be a mere test for something."""

Values = frozenset[str]
NOTHING: Final[Values] = frozenset()
UNKNOWN: Final[Values] = frozenset({OTHER})

_FIND_SPEC: Final = ("find_spec", "importlib.util.find_spec", "util.find_spec", "importlib.find_loader")
_IMPORT: Final = ("import_module", "importlib.import_module", "__import__")


class Names(dict[str, Values]):
    """Name -> what it may stand for. No entry: not bound here, so a builtin or never ours."""

    def __init__(self, values: dict[str, Values] | None = None, scope: Names | None = None) -> None:
        super().__init__(values or {})
        self.scope = scope if scope is not None else self
        """The names of the function or module that this branch belongs to."""

    def branch(self) -> Names:
        """A copy to follow one branch with."""
        return Names(self, self.scope)

    def for_later(self) -> Names:
        """What a function defined here sees when it runs: the scope as it ended, this branch's imports first."""
        seen = Names(self.scope)
        seen.update({name: v for name, v in self.items() if v is not UNKNOWN and targets(v) and OTHER not in v})
        return seen

    def merge(self, *others: Names) -> None:
        """Become what holds after any one of several branches."""
        merged: dict[str, Values] = {}
        for branch in others:
            for name, values in branch.items():
                before = merged.get(name)
                merged[name] = values if before is None or before is values else before | values
        self.clear()
        self.update(merged)

    def prefer(self, body: Names, fallback: Names) -> None:
        """Become what holds after a ``try``: where the body got a name from the package, its handler did not run."""
        merged = dict(fallback)
        for name, values in body.items():
            merged[name] = values if targets(values) else values | fallback.get(name, NOTHING)
        self.clear()
        self.update(merged)


def targets(values: Values) -> list[str]:
    """The package's names among some values, sorted."""
    return sorted(v for v in values if v != OTHER and not v.startswith((PROBE, TEXT)))


def texts(values: Values) -> list[str]:
    """The literal strings among some values, sorted."""
    return sorted(v.removeprefix(TEXT) for v in values if v.startswith(TEXT))


def belongs(module: str, package: str) -> bool:
    """True for the package and everything below it."""
    return module == package or module.startswith(package + ".")


class Reader:
    """Reads expressions: which targets they mean and which targets they test for."""

    def __init__(self, package: str, *, tests: bool) -> None:
        self.package = package
        self.tests = tests
        """False as long as the file can test for nothing: then conditions need no search."""

    def chain(self, node: ast.expr, names: Names) -> Values:
        """What a chain of names stands for."""
        rest: list[str] = []
        while isinstance(node, ast.Attribute):
            rest.append(node.attr)
            node = node.value
        if not isinstance(node, ast.Name):
            return self.value(node, names) if not rest and isinstance(node, ast.Call) else UNKNOWN
        values = names.get(node.id, UNKNOWN)
        tail = "".join(f".{part}" for part in reversed(rest))
        if not tail:
            return values
        found = {t + tail for t in targets(values)}
        return frozenset(found | ({OTHER} if OTHER in values or not found else set()))

    def value(self, node: ast.expr, names: Names) -> Values:
        """What the value of an expression may be."""
        if isinstance(node, ast.Constant):
            text = text_of(node)
            return NOTHING if node.value is None else frozenset({TEXT + text}) if text is not None else UNKNOWN
        probed = frozenset(PROBE + target for target in self.probed(node, names))
        if isinstance(node, ast.Name | ast.Attribute):
            return self.chain(node, names) | probed
        if isinstance(node, ast.IfExp):
            return self.value(node.body, names) | self.value(node.orelse, names)
        if isinstance(node, ast.Call):
            function = dotted(node.func)
            if function in _IMPORT and node.args:
                return frozenset(self.modules(node, names)) or UNKNOWN
            if function == "getattr" and len(node.args) > 1:
                return frozenset(self.attributes(node, names)) or UNKNOWN
            if probed:
                return probed
        return probed | UNKNOWN

    def modules(self, call: ast.Call, names: Names) -> list[str]:
        """Modules of the package that ``import_module(...)`` or ``find_spec(...)`` names."""
        if not call.args:
            return []
        return [text for text in self._texts(call.args[0], names) if belongs(text, self.package)]

    def attributes(self, call: ast.Call, names: Names) -> list[str]:
        """Targets that ``getattr(x, "name")`` or ``hasattr(x, "name")`` names."""
        bases = targets(self.value(call.args[0], names))
        return [f"{base}.{text}" for base in bases for text in self._texts(call.args[1], names)]

    def _texts(self, node: ast.expr, names: Names) -> list[str]:
        text = text_of(node)
        if text is not None:
            return [text]
        return texts(names.get(node.id, NOTHING)) if isinstance(node, ast.Name) else []

    def probed(self, node: ast.expr, names: Names) -> list[str]:
        """Targets that a condition tests for, wherever in it."""
        if not self.tests or isinstance(node, ast.Constant):
            return []
        found: dict[str, None] = {}
        for inner in ast.walk(node):
            if isinstance(inner, ast.Name):
                values = names.get(inner.id, NOTHING)
                found |= dict.fromkeys(sorted(v.removeprefix(PROBE) for v in values if v.startswith(PROBE)))
            elif isinstance(inner, ast.Call):
                function = dotted(inner.func)
                if function in _FIND_SPEC:
                    found |= dict.fromkeys(self.modules(inner, names))
                elif (function, len(inner.args)) in (("hasattr", 2), ("getattr", 3)):
                    found |= dict.fromkeys(self.attributes(inner, names))
        return list(found)

    def is_find_spec(self, call: ast.Call) -> bool:
        """True for ``find_spec(...)``."""
        return dotted(call.func) in _FIND_SPEC

    def is_import(self, call: ast.Call) -> bool:
        """True for ``import_module(...)`` and ``__import__(...)``."""
        return dotted(call.func) in _IMPORT

    def tested_by(self, function: ast.FunctionDef | ast.AsyncFunctionDef, names: Names) -> Values:
        """Targets that a function such as ``def has_x() -> bool`` tests for; nothing for any other function."""
        if (function.end_lineno or function.lineno) - function.lineno > _LONGEST_TEST:
            return NOTHING
        nodes = list(ast.walk(function))
        returned = [node.value for node in nodes if isinstance(node, ast.Return)]
        if not returned or not all(_is_truth(value) for value in returned):
            return NOTHING
        inside = names.branch()
        found: list[str] = []
        for node in nodes:
            if isinstance(node, ast.Import):
                for alias in node.names:
                    if belongs(alias.name, self.package) and (alias.asname or alias.name == self.package):
                        inside[alias.asname or alias.name] = frozenset({alias.name})
            elif isinstance(node, ast.Try):
                found += imported(node.body, self.package)
        tests = [node.test for node in nodes if isinstance(node, ast.If)]
        for expression in (*returned, *tests):
            if expression is not None:
                found += self.probed(expression, inside)
        self.tests |= bool(found)
        return frozenset(PROBE + target for target in found)


def imported(body: Iterable[ast.stmt], package: str) -> Iterator[str]:
    """Targets of the package that statements import."""
    for statement in body:
        for node in ast.walk(statement):
            if isinstance(node, ast.Import):
                yield from (alias.name for alias in node.names if belongs(alias.name, package))
            elif isinstance(node, ast.ImportFrom) and not node.level and belongs(node.module or "", package):
                yield from (f"{node.module}.{alias.name}" for alias in node.names if alias.name != "*")


def _is_truth(node: ast.expr | None) -> bool:
    match node:
        case ast.Constant(value=bool() | None) | ast.Compare() | ast.BoolOp() | ast.UnaryOp(op=ast.Not()) | ast.Name():
            return True
        case ast.Call():
            return dotted(node.func) in ("hasattr", "bool", "all", "any", "callable")
    return False
