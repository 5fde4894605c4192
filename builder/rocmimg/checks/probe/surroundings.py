"""What a process gets here: environment, user, and what only interactive or login shells would add."""

from __future__ import annotations

import grp
import os
import pwd
import shutil
import subprocess
from typing import Any

_LIMIT_S = 20
_OURS = "ROCMIMG_EXEC"


def surroundings() -> dict[str, Any]:
    """The environment of this process and its user."""
    own = {name: value for name, value in os.environ.items() if name != _OURS}
    return {
        "env": own,
        "interactive": _shell(["bash", "-ic", "env -0"]) if shutil.which("bash") else {},
        "login": _shell(["bash", "-lc", "env -0"]) if shutil.which("bash") else {},
        "etc_environment": _etc_environment(),
        "uid": os.getuid(),
        "groups": sorted(_group(number) for number in {os.getgid(), *os.getgroups()}),
        "known_groups": {group.gr_name: group.gr_gid for group in grp.getgrall()},
        "user": _user(),
        "writable": {path: _writable(path) for path in _caches(own)},
        "kfd": os.access("/dev/kfd", os.R_OK | os.W_OK) if os.path.exists("/dev/kfd") else None,
    }


def _shell(argv: list[str]) -> dict[str, str] | None:
    """The environment that a shell hands on; None where it does not answer."""
    clean = {name: value for name, value in os.environ.items() if name != _OURS}
    try:
        done = subprocess.run(
            argv,
            env=clean,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=_LIMIT_S,
            start_new_session=True,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    pairs = (pair.partition("=") for pair in done.stdout.decode("utf-8", "replace").split("\0") if "=" in pair)
    # What start-up files print stands before the first name.
    return {name.rpartition("\n")[2]: value for name, _, value in pairs}


def _etc_environment() -> dict[str, str]:
    try:
        with open("/etc/environment", encoding="utf-8", errors="replace") as file:
            lines = [line.strip() for line in file]
    except OSError:
        return {}
    pairs = (line.partition("=") for line in lines if "=" in line and not line.startswith("#"))
    return {name.replace("export ", "").strip(): value.strip().strip("\"'") for name, _, value in pairs}


def _group(number: int) -> str:
    try:
        return grp.getgrgid(number).gr_name
    except KeyError:
        return str(number)


def _user() -> str:
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return ""


def _caches(env: dict[str, str]) -> list[str]:
    """Folders that compilers write to at the first request."""
    named = (
        "AITER_JIT_DIR",
        "TRITON_CACHE_DIR",
        "TORCHINDUCTOR_CACHE_DIR",
        "TORCH_EXTENSIONS_DIR",
        "MIOPEN_USER_DB_PATH",
    )
    return [os.path.expanduser("~"), "/tmp", *(env[name] for name in named if env.get(name))]  # noqa: S108


def _writable(path: str) -> bool:
    """Whether ``path``, or the nearest folder above it that is there, may be written to."""
    while not os.path.exists(path) and path not in ("", "/"):
        path = os.path.dirname(path)
    return os.access(path, os.W_OK | os.X_OK)
