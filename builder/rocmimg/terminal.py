"""What a terminal, a CI's log and a report get to see of text that others wrote.

Logs of builds, image configurations, Dockerfiles and reasons hold terminal sequences and workflow commands, by
accident or on purpose. Standard output and standard error go through :class:`SafeStream`; reports call
:func:`harmless`.
"""

from __future__ import annotations

import contextlib
import re
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final, TextIO, cast

if TYPE_CHECKING:
    from rich.console import Console

_COLOUR: Final = re.compile(r"\x1b\[[0-9;:]*m")
# GitHub's runner acts on lines that begin with ::name, and on ##[name] anywhere (actions/runner, ActionCommand.cs).
_COMMAND: Final = re.compile(r"^(\s*):(?=:[A-Za-z_-]+( [^:]*)?::)|##(?=\[)", re.MULTILINE)


def harmless(text: str) -> str:
    """``text`` without colours, with control characters and workflow commands as text; lines and tabs stay."""
    if not text.replace("\n", "").replace("\t", "").isprintable():
        text = _COLOUR.sub("", text).replace("\r\n", "\n")
        text = "".join(c if c.isprintable() or c in "\n\t" else _escaped(c) for c in text)
    return _COMMAND.sub(lambda found: f"{found[1]}\\:" if found[1] is not None else "#\\#", text)


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
