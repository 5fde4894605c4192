"""How git is run: with a limit, without questions, and whatever repository the environment points to."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

_NOT_OURS: Final = frozenset(
    {
        "GIT_ALTERNATE_OBJECT_DIRECTORIES",
        "GIT_CEILING_DIRECTORIES",
        "GIT_COMMON_DIR",
        "GIT_CONFIG",
        "GIT_DEFAULT_HASH",
        "GIT_DIR",
        "GIT_EXTERNAL_DIFF",
        "GIT_GLOB_PATHSPECS",
        "GIT_GRAFT_FILE",
        "GIT_ICASE_PATHSPECS",
        "GIT_IMPLICIT_WORK_TREE",
        "GIT_INDEX_FILE",
        "GIT_LITERAL_PATHSPECS",
        "GIT_NAMESPACE",
        "GIT_NOGLOB_PATHSPECS",
        "GIT_NO_REPLACE_OBJECTS",
        "GIT_OBJECT_DIRECTORY",
        "GIT_PREFIX",
        "GIT_REPLACE_REF_BASE",
        "GIT_SHALLOW_FILE",
        "GIT_WORK_TREE",
    }
)
"""Variables of a hook or an alias around us; those about proxies, keys and configuration stay."""
_OWN: Final = {
    "GIT_TERMINAL_PROMPT": "0",
    "LC_ALL": "C",
    # A server that takes the connection and says nothing.
    "GIT_HTTP_LOW_SPEED_LIMIT": "100",
    "GIT_HTTP_LOW_SPEED_TIME": "60",
}


def environment(given: Mapping[str, str]) -> dict[str, str]:
    """``given`` without what points git at another repository than the one that it is run in."""
    traced = ("GIT_TRACE", "GIT_CURL_VERBOSE")
    kept = {name: value for name, value in given.items() if name not in _NOT_OURS and not name.startswith(traced)}
    return {**kept, **_OWN}


def run(
    words: Sequence[str],
    *,
    timeout: float,
    folder: Path | None = None,
    data: bytes | None = None,
    env: Mapping[str, str] | None = None,
) -> subprocess.CompletedProcess[bytes]:
    """``git WORDS``; ``env`` comes on top of :func:`environment`.

    Raises:
        FileNotFoundError: git is not installed, or there is no such folder.
        subprocess.TimeoutExpired: it took longer, and was ended with all that it had started.
    """
    with subprocess.Popen(
        ["git", *words],
        cwd=folder,
        env={**environment(os.environ), **(env or {})},
        stdin=subprocess.DEVNULL if data is None else subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    ) as process:
        try:
            out, err = process.communicate(data, timeout=timeout)
        except BaseException:
            os.killpg(process.pid, signal.SIGKILL)  # git's helper holds the pipes open beyond git's own end
            raise
        return subprocess.CompletedProcess(process.args, process.returncode, out, err)
