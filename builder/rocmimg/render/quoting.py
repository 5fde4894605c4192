"""How a value from YAML enters a Dockerfile: only through one of these filters.

Each filter returns :class:`Quoted`; the environment's ``finalize`` refuses every other text, so a template that forgets
to quote fails instead of rendering. Jinja's own ``Markup`` is refused as well: its filters (``tojson``, ``safe``,
``e``, ``urlize`` ...), ``~`` and the methods of ``Markup`` all return it for text that no shell quoting has seen.
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterable, Mapping
from pathlib import PurePath
from typing import Any, Final

from jinja2.runtime import BlockReference, Context, Macro

_WORD: Final = re.compile(r"[A-Za-z0-9_./:@%+,=~^-]+")
_FILL: Final = 116
_LINE_BREAK: Final = re.compile(r"[\x00-\x08\x0a-\x1f\x7f\x85\u2028\u2029]")


class UnquotedValue(ValueError):
    """A template writes a value as it is."""


class Quoted(str):
    """Text that may stand in a Dockerfile. What is cut out of it or joined to it is plain text again."""

    __slots__ = ()

    def __html__(self) -> Quoted:
        """Tell Jinja's autoescape to leave it alone."""
        return self


class QuotingContext(Context):
    """What a macro or a block of the parent template returns has been through ``finalize``, piece by piece."""

    def call(self, *args: Any, **kwargs: Any) -> Any:
        """Call ``args[0]`` from a template."""
        result = super().call(*args, **kwargs)
        return Quoted(result) if isinstance(args[0], Macro | BlockReference) else result


def require_quoted(value: Any) -> Any:
    """Jinja's ``finalize``: let quoted text and numbers through.

    Raises:
        UnquotedValue: for anything else.
    """
    if type(value) is Quoted or (isinstance(value, int) and not isinstance(value, bool)):
        return value
    raise UnquotedValue(f"{value!r} reaches the Dockerfile unquoted; use one of the filters {', '.join(FILTERS)}")


def _one_line(value: object) -> str:
    text = str(value)  # raises for what is undefined
    if not isinstance(value, str | int | PurePath):
        raise UnquotedValue(f"a {type(value).__name__} is not one value; name the field of it that is meant")
    if _LINE_BREAK.search(text):
        raise UnquotedValue(f"{text!r} is more than one line")
    return text


def sh(value: object) -> Quoted:
    """One word for the shell of a RUN."""
    return Quoted(shlex.quote(_one_line(value)))


def _several(values: Iterable[object]) -> list[object]:
    """A list of values: a text is one value, and a mapping is pairs of them."""
    if isinstance(values, str | bytes | Mapping):
        raise UnquotedValue(f"a {type(values).__name__} is not a list of values")
    return list(values)


def words(values: Iterable[object]) -> Quoted:
    """Words for the shell of a RUN, separated by spaces."""
    return Quoted(" ".join(map(sh, _several(values))))


def fill(values: Iterable[object], column: int) -> Quoted:
    """Words for the shell of a RUN behind a line that ends at ``column``: on that line, or on as many as they need."""
    if len(line := f" {words(values := _several(values))}") + column <= _FILL:
        return Quoted(line)
    lines = [""]
    for value in map(sh, values):
        if len(lines) == 1 or len(f"{lines[-1]} {value}") > _FILL:
            lines.append(f"       {value}")
        else:
            lines[-1] += f" {value}"
    return Quoted(" \\\n ".join(lines))


def one_line(text: str) -> str:
    """A RUN of two lines as one, where that fits; for ``filter`` blocks."""
    joined = text.replace(" \\\n    ", " ")
    return joined if joined.strip().count("\n") == 0 and len(joined.strip()) <= _FILL + 4 else text


def absolute(value: object) -> bool:
    """Whether ``value`` is an absolute path; for ``select``."""
    return str(value).startswith("/")


def requirements(packages: Mapping[str, str]) -> tuple[str, ...]:
    """Python packages with their versions or bounds as pip takes them; for ``words`` or ``fill``."""
    return tuple(f"{name}{spec if spec[:1] in '<>=!~' else '==' + spec}" for name, spec in packages.items())


def prepend(value: object, prefix: str) -> str:
    """``prefix`` before ``value``; for ``words`` or ``fill``."""
    return f"{prefix}{_one_line(value)}"


def word(value: object) -> Quoted:
    """One word of an instruction that is not a shell command: an image, a stage, a path.

    Raises:
        UnquotedValue: it would have to be quoted; validation should have refused it.
    """
    text = _one_line(value)
    if not _WORD.fullmatch(text):
        raise UnquotedValue(f"{text!r} is not a plain word")
    return Quoted(text)


def env(value: object) -> Quoted:
    """The value of an ENV or LABEL instruction, quoted where it needs it.

    Quotes mean there what they mean in a shell, except for escapes inside double quotes, on which parsers differ.
    """
    text = _one_line(value)
    if not set(text) & set('"\\$'):
        return Quoted(text if _WORD.fullmatch(text) else f'"{text}"')
    return Quoted(shlex.quote(text))


def exec_form(values: Iterable[object]) -> Quoted:
    """The JSON form of CMD, ENTRYPOINT and SHELL."""
    return Quoted(json.dumps([_one_line(value) for value in _several(values)]))


def comment(value: object) -> Quoted:
    """Text of a comment line."""
    return Quoted(_one_line(value))


FILTERS: Final = {
    "sh": sh,
    "words": words,
    "fill": fill,
    "one_line": one_line,
    "requirements": requirements,
    "prepend": prepend,
    "word": word,
    "env": env,
    "exec_form": exec_form,
    "comment": comment,
}
