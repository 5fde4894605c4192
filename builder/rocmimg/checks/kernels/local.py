"""Runs commands on this machine as ``Container.exec`` runs them in a container."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence

from rocmimg.engine import ExecResult


def run_here(argv: Sequence[str], timeout: float, env: Mapping[str, str] | None = None) -> ExecResult:
    """One command; after ``timeout`` seconds its process group is ended. What cannot be started exits 127.

    ``env`` is the whole environment; None stands for this process's own.
    """
    began = time.monotonic()
    try:
        child = subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True, env=env)
    except OSError as error:
        return ExecResult(exit_code=127, stdout=b"", stderr=str(error).encode(), timed_out=False, seconds=0.0)
    timed_out = False
    try:
        out, err = child.communicate(timeout=timeout)
    except subprocess.TimeoutExpired:
        timed_out = True
        os.killpg(child.pid, signal.SIGKILL)
        out, err = child.communicate()
    except BaseException:
        os.killpg(child.pid, signal.SIGKILL)
        raise
    seconds = time.monotonic() - began
    return ExecResult(exit_code=child.returncode, stdout=out, stderr=err, timed_out=timed_out, seconds=seconds)
