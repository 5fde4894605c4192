"""From what an engine says to the errors of this project."""

from __future__ import annotations

import errno
import re
from typing import Final

from rocmimg.errors import BaseImageError, BuildError, DiskFullError, EngineError, RegistryError, RocmimgError

_FULL: Final = re.compile(r"no space left on device|disk quota exceeded", re.IGNORECASE)
_METADATA: Final = re.compile(r"\[internal\] load metadata for (\S+)")
_PODMAN_BASE: Final = re.compile(r"initializing source docker://(\S+): ")
# What an engine says of a command that ran and failed. Anything else is a reason of the engine's own.
_EXIT: Final = re.compile(
    r"(?:did not complete successfully: exit code: |executor failed running \[.*\]: exit code: "
    r"|while running runtime: exit status |returned a non-zero code: )(\d+)\s*$",
    re.DOTALL,
)
_REASON_LENGTH: Final = 400
_RUNTIME: Final = re.compile(r"error running container: .+")
"""Podman's line for a step whose command it could not start."""
_BRIDGE: Final = re.compile(r"could not find bridge|network bridge not found", re.IGNORECASE)
_CERTIFICATE: Final = re.compile(
    r"CERTIFICATE_VERIFY_FAILED|SSL certificate problem|certificate verification failed"
    r"|unable to get local issuer certificate|certificate signed by unknown authority",
    re.IGNORECASE,
)
_NAME: Final = re.compile(
    r"Could not resolve host|Temporary failure resolving|Temporary failure in name resolution"
    r"|Name or service not known|lookup \S+( on \S+)?: (no such host|i/o timeout|server misbehaving)"
)
_CONNECTION: Final = re.compile(
    r"Could not resolve proxy|Failed to connect to \S+ port \d+|Network is unreachable|No route to host"
    r"|curl: \(28\)|Could not connect to \S+:\d+|ConnectTimeoutError"
)
_HOST: Final = "give builds the machine's network (--set network.engine_mode=host)"
_NETWORK: Final = {
    _BRIDGE: f"the engine has no network for builds: {_HOST}",
    _CERTIFICATE: "a certificate is not trusted: name the CA bundle of your network (--set network.ca_bundle=FILE)",
    _NAME: f"a name does not resolve: {_HOST}, or the engine a DNS server",
    _CONNECTION: f"no connection: set your proxy (--set network.https_proxy=URL) or a mirror, or {_HOST}",
}


def network_advice(*lines: str) -> str:
    """What helps against a failure of the network; "" where it was not one."""
    found = next((advice for words, advice in _NETWORK.items() if any(map(words.search, lines))), "")
    return f"{found}; `rocmimg doctor` says what builds reach" if found else ""


class StepFailed(BuildError):
    """A step of a Dockerfile failed."""

    def __init__(self, message: str, *, step: str = "", log: tuple[str, ...] = ()) -> None:
        started = next((said[0] for line in log if (said := _RUNTIME.search(line))), "")
        code = None if started else _EXIT.search(message)
        self.step = step
        """As the engine names it: ``[aiter 3/7] RUN ...``; empty where no step is to blame."""
        self.step_exit_code = int(code[1]) if code else None
        """None where the command did not run."""
        self.log = log
        """The step's last lines."""
        what = f"{_one_line(step)} failed" if step else "the build failed"
        why = f"exit code {self.step_exit_code}" if step and code else _reason(started or message)
        super().__init__(what, why=why, next_step=network_advice(message, *log))


class BuildCancelled(BuildError):
    """A build, or the pull of its base, was ended on request."""

    def __init__(self, what: str = "the build was cancelled") -> None:
        super().__init__(what)


def _one_line(text: str, limit: int = 120) -> str:
    line = " ".join(text.split())
    return line if len(line) <= limit else f"{line[: limit - 1]}…"


def _reason(text: str) -> str:
    """A long one without its middle: what went wrong is said last."""
    line = " ".join(text.split())
    return line if len(line) <= _REASON_LENGTH else f"{line[:100]} … {line[100 - _REASON_LENGTH :]}"


def is_disk_full(message: str | BaseException) -> bool:
    """Whether a message or an exception says that a disk is full."""
    if isinstance(message, OSError) and message.errno in {errno.ENOSPC, errno.EDQUOT}:
        return True
    return bool(_FULL.search(str(message)))


def disk_full(message: str) -> DiskFullError:
    return DiskFullError(
        "no space left on the disk",
        why=_reason(message),
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
    return BaseImageError(f"cannot pull {ref}", why=_reason(message), next_step=_next_step(message))


def push_failed(ref: str, message: str) -> RegistryError:
    return RegistryError(f"cannot push {ref}", why=_reason(message), next_step=_next_step(message))


def refused(what: str, message: str) -> RocmimgError:
    """The error for any other call that the engine turns down."""
    if is_disk_full(message):
        return disk_full(message)
    return EngineError(what, why=_reason(message))
