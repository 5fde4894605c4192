"""What a terminal, a CI's log and a report get to see of text that others wrote.

Logs of builds, image configurations, Dockerfiles and reasons hold terminal sequences and workflow commands, by
accident or on purpose. Standard output and standard error go through :class:`SafeStream`; reports call
:func:`harmless`.
"""

from __future__ import annotations

import contextlib
import json
import re
import sys
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final, TextIO, cast

if TYPE_CHECKING:
    from rich.console import Console

_COLOUR: Final = re.compile(r"\x1b\[[0-9;:]*m")
# GitHub's runner acts on lines that begin with ::name, and on ##[name] anywhere (actions/runner, ActionCommand.cs).
# Azure's agent acts on ##vso[ in the same way, TeamCity's on ##teamcity[.
_COMMAND: Final = re.compile(r"^(\s*):(?=:[A-Za-z_-]+(?: .*)?::)|##(?=[A-Za-z]*\[)", re.MULTILINE)
_USER_OF_URL: Final = re.compile(r"://([^\s/?#\"<>]+)@")
_FILLED_IN_LATER: Final = re.compile(r"(?:\$\w+|\$?\{\w+\}|\*+)*")


def without_secrets(text: str, instead: str = "***@") -> str:
    """``text`` with ``instead`` in the place of the users and passwords of its URLs."""
    if "@" not in text:
        return text
    return _USER_OF_URL.sub(lambda found: f"://{instead}" if _is_secret(found) else found[0], text)


def holds_secrets(text: str) -> bool:
    """Whether a URL in ``text`` has a password or a token."""
    return any(map(_is_secret, _USER_OF_URL.finditer(text)))


def _is_secret(found: re.Match[str]) -> bool:
    """A user alone is a token where the scheme is http, and a name (git@) where it is another.

    A variable that a shell fills in later is not a secret.
    """
    name, colon, password = found[1].partition(":")
    scheme = found.string[max(found.start() - len("https"), 0) : found.start()].lower()
    if not colon and not scheme.endswith(("http", "https")):
        return False
    return not _FILLED_IN_LATER.fullmatch(password if colon else name)


def harmless(text: str) -> str:
    """``text`` as everybody may see it; lines and tabs stay.

    Without colours and passwords of URLs, and with control characters and workflow commands as text.
    """
    text = without_secrets(text)
    if not text.replace("\n", "").replace("\t", "").isprintable():
        text = _COLOUR.sub("", text).replace("\r\n", "\n")
        text = "".join(c if c.isprintable() or c in "\n\t" else _escaped(c) for c in text)
    return _COMMAND.sub(lambda found: f"{found[1]}\\:" if found[1] is not None else "#\\#", text)


def json_text(value: Any) -> str:
    """JSON whose texts are :func:`harmless`: an escape in JSON is whole again where a consumer prints the text."""
    return json.dumps(_harmless_in(value), indent=2)


def _harmless_in(value: Any) -> Any:
    if isinstance(value, str):
        return harmless(value)
    if isinstance(value, Mapping):
        return {harmless(str(key)): _harmless_in(one) for key, one in value.items()}
    return [_harmless_in(one) for one in value] if isinstance(value, list | tuple) else value


def _escaped(char: str) -> str:
    return char.encode("unicode_escape").decode()


class SafeStream:
    """A text stream that writes :func:`harmless` text to another one."""

    def __init__(self, inner: TextIO) -> None:
        self.inner = inner

    def write(self, text: str) -> int:
        """Write text, made harmless."""
        return self.inner.write(harmless(text))

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)


@contextlib.contextmanager
def safe_streams() -> Iterator[None]:
    """Standard output and standard error are safe until the block ends."""
    with (
        contextlib.redirect_stdout(cast("TextIO", SafeStream(sys.stdout))),
        contextlib.redirect_stderr(cast("TextIO", SafeStream(sys.stderr))),
    ):
        yield


def bare(stream: TextIO) -> TextIO:
    """The stream behind a safe one, for a writer that makes terminal sequences or workflow commands itself."""
    return stream.inner if isinstance(stream, SafeStream) else stream


def console(*, stderr: bool = False, **options: Any) -> Console:
    """A console of rich. What it is given must have been made :func:`harmless`."""
    from rich.console import Console

    return Console(file=bare(sys.stderr if stderr else sys.stdout), **options)
