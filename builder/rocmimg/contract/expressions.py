"""Small readings of syntax trees that both sides of a contract need."""

from __future__ import annotations

import ast
import re
import sys
import warnings
from collections.abc import Sequence
from typing import Final

_PLATFORM: Final[dict[str, str | bool]] = {
    "sys.platform": "linux",
    "os.name": "posix",
    "typing.TYPE_CHECKING": False,
    "TYPE_CHECKING": False,
}
_ENVIRONMENT: Final = ("os.getenv", "os.environ.get", "getenv", "environ.get")

MENTIONS_GLOBALS: Final = re.compile(rb"\bglobals\(|^[ \t]+global \w", re.MULTILINE)
"""Texts that this does not match need no search for names that functions put into the module."""

TOO_DEEP: Final = "its expressions are nested too deeply"

Constant = str | int | float | bool | None


class UndecidedError(Exception):
    """The text alone does not settle this value."""


def dotted(node: ast.expr) -> str:
    """``a.b.c`` as text; "" for anything that is not a plain chain of names."""
    parts: list[str] = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    if not isinstance(node, ast.Name):
        return ""
    return ".".join([node.id, *reversed(parts)])


def text_of(node: ast.expr | None) -> str | None:
    """The value of a literal string."""
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else None


def texts_of(node: ast.expr | None) -> tuple[str, ...] | None:
    """The values of a literal list or tuple of strings; None where one of them is not literal."""
    if not isinstance(node, ast.List | ast.Tuple | ast.Set):
        return None
    texts = [text_of(item) for item in node.elts]
    return tuple(text for text in texts if text is not None) if None not in texts else None


def evaluate(node: ast.expr, known: dict[str, Constant]) -> Constant:
    """The value of an expression under Linux.

    ``known`` has names of the module, and as ``$NAME`` variables of the image's environment; all others that the text
    reads have their defaults. Raises UndecidedError for everything else.
    """
    match node:
        case ast.Constant(value=str() | int() | float() | bool() | None as value):
            return value
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            return not evaluate(operand, known)
        case ast.BoolOp():
            return _boolean(node, known)
        case ast.Compare(left=left, ops=[operator], comparators=[right]):
            return _compare(evaluate(left, known), operator, evaluate(right, known))
        case ast.Call():
            return _call(node, known)
        case ast.Name() | ast.Attribute():
            name = dotted(node)
            if name in _PLATFORM:
                return _PLATFORM[name]
            if name in known:
                return known[name]
    raise UndecidedError


def _boolean(node: ast.BoolOp, known: dict[str, Constant]) -> Constant:
    stops_at = isinstance(node.op, ast.Or)
    undecided = False
    for operand in node.values:
        try:
            if bool(evaluate(operand, known)) is stops_at:
                return stops_at
        except UndecidedError:
            undecided = True
    if undecided:
        raise UndecidedError
    return not stops_at


def _compare(left: Constant, operator: ast.cmpop, right: Constant) -> bool:
    match operator:
        case ast.Eq() | ast.Is():
            return left == right
        case ast.NotEq() | ast.IsNot():
            return left != right
        case ast.In() if isinstance(left, str) and isinstance(right, str):
            return left in right
    raise UndecidedError


def _call(node: ast.Call, known: dict[str, Constant]) -> Constant:
    name = dotted(node.func)
    if name in _ENVIRONMENT and node.args:
        variable = f"${text_of(node.args[0])}"
        if variable in known:
            return known[variable]
        return evaluate(node.args[1], known) if len(node.args) > 1 else None
    if name in ("int", "bool", "str") and len(node.args) == 1:
        value = evaluate(node.args[0], known)
        try:
            return int(value or 0) if name == "int" else bool(value) if name == "bool" else str(value)
        except ValueError as error:
            raise UndecidedError from error
    if isinstance(node.func, ast.Attribute) and not node.args and node.func.attr in ("lower", "upper", "strip"):
        value = evaluate(node.func.value, known)
        if isinstance(value, str):
            return str(getattr(value, node.func.attr)())
    if isinstance(node.func, ast.Attribute) and node.func.attr == "startswith" and len(node.args) == 1:
        value, prefix = evaluate(node.func.value, known), evaluate(node.args[0], known)
        if isinstance(value, str) and isinstance(prefix, str):
            return value.startswith(prefix)
    raise UndecidedError


def decide(node: ast.expr, known: dict[str, Constant] | None = None) -> bool | None:
    """The truth of a condition, or None where the text does not settle it."""
    try:
        return bool(evaluate(node, known or {}))
    except UndecidedError:
        return None


def ends(body: Sequence[ast.stmt]) -> bool:
    """True where control never goes on past these statements."""
    if not body:
        return False
    last = body[-1]
    if isinstance(last, ast.If):
        return ends(last.body) and ends(last.orelse)
    return isinstance(last, ast.Return | ast.Raise | ast.Continue | ast.Break) or _exits(last)


def raises(body: Sequence[ast.stmt]) -> bool:
    """True where these statements end in an exception of their own."""
    return any(isinstance(statement, ast.Raise) or _exits(statement) for statement in body)


def _exits(statement: ast.stmt) -> bool:
    if not (isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Call)):
        return False
    return dotted(statement.value.func) in ("sys.exit", "os._exit", "exit", "quit")


def absolute(module: str | None, level: int, package: str) -> str:
    """The absolute name of the module in ``from ..x import y``, seen from inside ``package``."""
    if not level:
        return module or ""
    parts = package.split(".")
    base = ".".join(parts[: len(parts) - level + 1])
    return f"{base}.{module}" if module and base else module or base


def parse(content: bytes) -> tuple[ast.Module | None, str, int]:
    """(tree, "", 0), or (None, what is wrong, line). A source that does not parse is a finding, not a crash."""
    try:
        with warnings.catch_warnings():
            # Somebody else's invalid escape sequences are not news to our user.
            warnings.simplefilter("ignore")
            return ast.parse(content), "", 0
    except SyntaxError as error:
        python = f"{sys.version_info.major}.{sys.version_info.minor}"
        return None, f"{error.msg} (read as Python {python})", error.lineno or 0
    except (ValueError, RecursionError, MemoryError) as error:
        return None, str(error) or type(error).__name__, 0
