"""testinfra over the engine's own API, with a time limit on every command."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from testinfra.backend.base import BaseBackend, CommandResult

if TYPE_CHECKING:
    from rocmimg.engine import Container

LIMIT_S: Final = 60.0


class ContainerBackend(BaseBackend):  # type: ignore[misc]  # testinfra has no types
    """Runs testinfra's commands with ``Container.exec``."""

    NAME = "rocmimg"

    def __init__(self, container: Container) -> None:
        self._container = container
        super().__init__(container.id[:12])

    def run(self, command: str, *args: str, **_: Any) -> CommandResult:
        """One shell command; it is ended inside the container after :data:`LIMIT_S` seconds."""
        line = self.get_command(command, *args)
        done = self._container.exec(["/bin/sh", "-c", line], timeout=LIMIT_S)
        if done.timed_out:
            raise AssertionError(f"`{line}` hangs: ended after {LIMIT_S:.0f} s")
        return self.result(done.exit_code, line.encode(), done.stdout, done.stderr)
