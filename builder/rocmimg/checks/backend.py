"""testinfra over the engine's own API, with a limit of time and of output on every command."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from testinfra.backend.base import BaseBackend, CommandResult
from testinfra.host import Host

from rocmimg.engine import ExecResult

if TYPE_CHECKING:
    from rocmimg.engine import Container

LIMIT_S: Final = 60.0
_PLAIN: Final = re.compile(r"%s(?: +(?:%s|[\w./:=@+,-]+))*")
"""A command line whose program is an argument, and that a shell would only split at spaces."""


class CommandStopped(AssertionError):
    """A command was ended from outside: it took too long, or wrote without end."""

    def __init__(self, command: str, reason: str, done: ExecResult) -> None:
        self.reason = reason
        self.done = done
        """What there is of it."""
        super().__init__(f"`{command[:200]}` {reason}")


class ContainerBackend(BaseBackend):  # type: ignore[misc]  # testinfra has no types
    """Runs testinfra's commands with ``Container.exec``."""

    NAME = "rocmimg"

    def __init__(
        self,
        container: Container,
        *,
        timeout: float = LIMIT_S,
        user: str | None = None,
        env: Mapping[str, str] | None = None,
        stdin: bytes | None = None,
        output_limit: int | None = None,
    ) -> None:
        self._container = container
        self._timeout = timeout
        self._options: dict[str, Any] = {"user": user, "env": env, "stdin": stdin}
        if output_limit is not None:
            self._options["output_limit"] = output_limit
        super().__init__(container.id[:12])

    def run(self, command: str, *args: str, **_: Any) -> CommandResult:
        """One command. ``%s`` first starts that program itself; everything else is read by /bin/sh.

        Raises:
            CommandStopped: it was ended inside the container, after the limit.
        """
        line = self.get_command(command, *args)
        plain = _PLAIN.fullmatch(command) and not self.sudo
        argv = _words(command, args) if plain else ["/bin/sh", "-c", line]
        done = self._container.exec(argv, timeout=self._timeout, **self._options)
        if done.timed_out:
            raise CommandStopped(line, f"hangs: ended after {self._timeout:.0f} s", done)
        if done.flooded:
            limit = self._options["output_limit"] >> 20
            raise CommandStopped(line, f"writes without end: ended after {limit} MiB", done)
        return self.result(done.exit_code, line.encode(), done.stdout, done.stderr)


def _words(command: str, args: tuple[str, ...]) -> list[str]:
    """What is started without a shell: the image needs none, and an argument may be as long as the kernel takes it."""
    given = iter(args)
    return [next(given) if word == "%s" else word for word in command.split()]


def host_of(container: Container, **options: Any) -> Host:
    """A container as testinfra sees it; ``options`` are those of :class:`ContainerBackend`."""
    return Host(ContainerBackend(container, **options))


def outcome(host: Host, argv: Sequence[str]) -> ExecResult:
    """Run one command; what became of it, also where a limit ended it."""
    began = time.monotonic()
    try:
        done = host.run(" ".join(["%s"] * len(argv)), *argv)
    except CommandStopped as stopped:
        return stopped.done
    seconds = time.monotonic() - began
    return ExecResult(
        exit_code=done.rc, stdout=done.stdout_bytes, stderr=done.stderr_bytes, timed_out=False, seconds=seconds
    )
