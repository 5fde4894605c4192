"""From what an engine says to the errors of this project."""

from __future__ import annotations

import errno
import re
from typing import Final

from rocmimg.errors import BaseImageError, BuildError, DiskFullError, EngineError, RegistryError, RocmimgError

_FULL: Final = re.compile(r"no space left on device|disk quota exceeded", re.IGNORECASE)
_METADATA: Final = re.compile(r"\[internal\] load metadata for (\S+)")
_PODMAN_BASE: Final = re.compile(r"initializing source docker://(\S+): ")
_EXIT: Final = re.compile(r"(?:exit code: |exit status |non-zero code: )(\d+)")


class StepFailed(BuildError):
    """A step of a Dockerfile failed."""

    def __init__(self, message: str, *, step: str = "", log: tuple[str, ...] = ()) -> None:
        code = _EXIT.search(message)
        self.step = step
        """As the engine names it: ``[aiter 3/7] RUN ...``; empty where no step is to blame."""
        self.step_exit_code = int(code[1]) if code else None
        self.log = log
        """The step's last lines."""
        self.message = message
        """In the engine's words."""
        what = f"{_one_line(step)} failed" if step else "the build failed"
        why = f"exit code {self.step_exit_code}" if step and code else _one_line(message, 400)
        super().__init__(what, why=why)


class BuildCancelled(BuildError):
    """A build was ended on request."""

    def __init__(self) -> None:
        super().__init__("the build was cancelled")


def _one_line(text: str, limit: int = 120) -> str:
    line = " ".join(text.split())
    return line if len(line) <= limit else f"{line[: limit - 1]}…"


def is_disk_full(message: str | BaseException) -> bool:
    """Whether a message or an exception says that a disk is full."""
    if isinstance(message, OSError) and message.errno in {errno.ENOSPC, errno.EDQUOT}:
        return True
    return bool(_FULL.search(str(message)))


def disk_full(message: str) -> DiskFullError:
    return DiskFullError(
        "no space left on the disk",
        why=_one_line(message, 400),
        next_step="free some (`docker system df` says what the engine holds) and run the same command again: "
        "what is built stays",
    )


def build_failed(message: str, *, step: str = "", log: tuple[str, ...] = ()) -> RocmimgError:
    """The error for a failed build: a full disk, a base that is not there, or the step that failed."""
    if is_disk_full(message) or any(map(is_disk_full, log)):
        return disk_full(message)
    if base := _METADATA.match(step) or _PODMAN_BASE.search(message):
        return pull_failed(base[1], message)
    return StepFailed(message, step=step, log=log)


_NEXT: Final = (
    (
        ("no basic auth", "denied", "unauthorized", "authentication required", "forbidden"),
        "check the name, and `docker login` where it is not public",
    ),
    (
        ("no such host", "lookup ", "timeout", "connection refused", "unreachable", "dial tcp", "deadline exceeded"),
        "the engine cannot reach the registry: check its network, DNS and proxy, or bring the image with `docker load`",
    ),
    (
        ("x509", "certificate"),
        "the engine does not trust the registry's certificate: add its CA under /etc/docker/certs.d",
    ),
    (("http response to https",), "name the registry in the engine's insecure-registries"),
    (("manifest unknown", "not found", "no such image"), "check the name and the tag"),
)


def _next_step(message: str) -> str:
    lower = message.lower()
    return next((advice for words, advice in _NEXT if any(word in lower for word in words)), "")


def pull_failed(ref: str, message: str) -> BaseImageError | DiskFullError:
    if is_disk_full(message):
        return disk_full(message)
    return BaseImageError(f"cannot pull {ref}", why=_one_line(message, 400), next_step=_next_step(message))


def push_failed(ref: str, message: str) -> RegistryError:
    return RegistryError(f"cannot push {ref}", why=_one_line(message, 400), next_step=_next_step(message))


def refused(what: str, message: str) -> RocmimgError:
    """The error for any other call that the engine turns down."""
    if is_disk_full(message):
        return disk_full(message)
    return EngineError(what, why=_one_line(message, 400))
