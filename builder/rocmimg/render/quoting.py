"""How a value from YAML enters a Dockerfile: only through one of these filters.

Each filter returns Markup, the type that Jinja trusts; the environment's ``finalize`` refuses every other text, so a
template that forgets to quote fails instead of rendering.
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterable, Mapping
from typing import Any, Final

from markupsafe import Markup

_WORD: Final = re.compile(r"[A-Za-z0-9_./:@%+,=~^-]+")
_LINE_BREAK: Final = re.compile(r"[\x00-\x08\x0a-\x1f\x7f\x85\u2028\u2029]")


class UnquotedValue(ValueError):
    """A template writes a value as it is."""


def require_quoted(value: Any) -> Any:
    """Jinja's ``finalize``: let trusted text and numbers through.

    Raises:
        UnquotedValue: for anything else.
    """
    if isinstance(value, Markup) or (isinstance(value, int) and not isinstance(value, bool)):
        return value
    raise UnquotedValue(f"{value!r} reaches the Dockerfile unquoted; use one of the filters {', '.join(FILTERS)}")


def _one_line(value: object) -> str:
    text = str(value)
    if _LINE_BREAK.search(text):
        raise UnquotedValue(f"{text!r} is more than one line")
    return text


def sh(value: object) -> Markup:
    """One word for the shell of a RUN."""
    return Markup(shlex.quote(_one_line(value)))  # noqa: S704


def words(values: Iterable[object]) -> Markup:
    """Words for the shell of a RUN, separated by spaces."""
    return Markup(" ".join(sh(value) for value in values))  # noqa: S704


def requirements(packages: Mapping[str, str]) -> Markup:
    """Python packages with their versions or bounds as words of pip's command line."""
    return words(f"{name}{spec if spec[:1] in '<>=!~' else '==' + spec}" for name, spec in packages.items())


def word(value: object) -> Markup:
    """One word of an instruction that is no shell: an image, a stage, a path.

    Raises:
        UnquotedValue: it would have to be quoted; validation should have refused it.
    """
    text = _one_line(value)
    if not _WORD.fullmatch(text):
        raise UnquotedValue(f"{text!r} is not a plain word")
    return Markup(text)  # noqa: S704


def env(value: object) -> Markup:
    """The value of an ENV or LABEL instruction, quoted where it needs it.

    Quotes mean there what they mean in a shell, except for escapes inside double quotes, on which parsers differ.
    """
    text = _one_line(value)
    if not set(text) & set('"\\$'):
        return Markup(text if _WORD.fullmatch(text) else f'"{text}"')  # noqa: S704
    return Markup(shlex.quote(text))  # noqa: S704


def exec_form(values: Iterable[object]) -> Markup:
    """The JSON form of CMD, ENTRYPOINT and SHELL."""
    return Markup(json.dumps([_one_line(value) for value in values]))  # noqa: S704


def comment(value: object) -> Markup:
    """Text of a comment line."""
    return Markup(_one_line(value))  # noqa: S704


FILTERS: Final = {
    "sh": sh,
    "words": words,
    "requirements": requirements,
    "word": word,
    "env": env,
    "exec_form": exec_form,
    "comment": comment,
}
