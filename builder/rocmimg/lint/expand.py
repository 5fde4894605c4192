"""Words with variables, and what they come to when the values are known.

The same expansions serve Dockerfile instructions (BuildKit's subset) and shell words. A value that is not known stays
unknown (None); nothing is guessed.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Final

Lookup = Callable[[str], str | None]

_VARIABLE: Final = re.compile(
    r"\$(?:(?P<plain>[A-Za-z_]\w*)|\{(?P<name>[A-Za-z_]\w*)(?P<op>:?[-+?=]|%%?|##?)?(?P<arg>(?:[^{}]|\$\{[^{}]*\})*)\})"
)
_MAX_DEPTH: Final = 8


@dataclass(frozen=True, slots=True)
class Use:
    """One use of a variable: name, operator of the expansion (``:-``, ``%``, ...), its argument, its place."""

    name: str
    operator: str
    argument: str
    start: int
    end: int


def uses(text: str) -> list[Use]:
    """Variables in a Dockerfile value or a shell word, those inside default values included."""
    found: list[Use] = []
    if "$" not in text:
        return found
    for match in _VARIABLE.finditer(text):
        if match.start() and text[match.start() - 1] == "\\":
            continue
        name = match["plain"] or match["name"]
        argument = match["arg"] or ""
        found.append(Use(name, match["op"] or "", argument, match.start(), match.end()))
        if "$" in argument:
            found.extend(uses(argument))
    return found


def expand(text: str, lookup: Lookup, *, depth: int = 0) -> str | None:
    """The text with every variable replaced, or None where one is unknown or the syntax is not a variable."""
    if "$" not in text:
        return text
    if "$(" in text or "`" in text or depth > _MAX_DEPTH:
        return None
    pieces: list[str] = []
    position = 0
    for match in _VARIABLE.finditer(text):
        pieces.append(text[position : match.start()])
        value = _value(match, lookup, depth)
        if value is None:
            return None
        pieces.append(value)
        position = match.end()
    pieces.append(text[position:])
    rest = "".join(pieces[::2])
    return None if "$" in rest else "".join(pieces)


def _value(match: re.Match[str], lookup: Lookup, depth: int) -> str | None:
    value = lookup(match["plain"] or match["name"])
    operator = match["op"] or ""
    argument = match["arg"] or ""
    if not operator:
        return value if not argument else None
    if operator[-1] in "-=?+":
        # An unknown variable may be set or not; only a known one decides.
        if value is None:
            return None
        absent = value == ""
        if operator[-1] == "+":
            return "" if absent else expand(argument, lookup, depth=depth + 1)
        return expand(argument, lookup, depth=depth + 1) if absent else value
    pattern = expand(argument, lookup, depth=depth + 1)
    return None if value is None or pattern is None else strip(value, operator, pattern)


def strip(value: str, operator: str, pattern: str) -> str:
    """``${value%pattern}`` and its three relatives."""
    suffix = operator[0] == "%"
    cuts = range(len(value), -1, -1) if suffix else range(len(value) + 1)
    if len(operator) > 1:
        cuts = reversed(cuts)  # type: ignore[assignment]
    for cut in cuts:
        part = value[cut:] if suffix else value[:cut]
        if fnmatchcase(part, pattern):
            return value[:cut] if suffix else value[cut:]
    return value


def unquote(text: str) -> str:
    """A Dockerfile value without its quotes; escapes of quotes and of ``$`` resolved."""
    result: list[str] = []
    quote = ""
    index = 0
    while index < len(text):
        char = text[index]
        if char == "\\" and quote != "'" and index + 1 < len(text):
            result.append(text[index + 1] if text[index + 1] in "\"'\\ " else text[index : index + 2])
            index += 2
            continue
        if char in "\"'" and quote in ("", char):
            quote = "" if quote else char
        else:
            result.append(char)
        index += 1
    return "".join(result)
