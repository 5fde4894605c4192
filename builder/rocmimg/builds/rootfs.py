"""Root file systems from Debian packages: mmdebstrap, once per key."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import threading
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Final

from rocmimg.engine.failure import disk_full, is_disk_full
from rocmimg.errors import BaseImageError
from rocmimg.leftovers import scratch
from rocmimg.plan import RootfsPlan

_EXCLUDED: Final = ("/usr/share/doc/*", "/usr/share/man/*", "/usr/share/locale/*", "/usr/share/info/*")
_LAST_LINES: Final = 8
_TRY_S: Final = 10


class RootfsMaker:
    """Makes what is missing; one at a time, for the package mirror's sake."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process: subprocess.Popen[str] | None = None

    def cancel(self) -> None:
        """End the run under way."""
        if process := self._process:
            if _guard()[-1:] == ["--kill-child"]:
                process.kill()
            else:
                process.terminate()

    def ensure(self, plan: RootfsPlan, on_line: Callable[[str], None]) -> Path:
        """The archive of ``plan``; about 20 s and 80 MB where it has to be made.

        Raises:
            BaseImageError: mmdebstrap failed.
            DiskFullError: there is no room for it.
        """
        with self._lock:
            if not plan.archive.exists():
                self._make(plan, on_line)
        return plan.archive

    def _make(self, plan: RootfsPlan, on_line: Callable[[str], None]) -> None:
        plan.archive.parent.mkdir(parents=True, exist_ok=True)
        with scratch(".making-", plan.archive.parent) as folder, scratch("rocmimg-") as root:
            root.chmod(0o755)  # apt downloads as a user of its own
            self._run(plan, folder / "rootfs.tar", root, on_line)

    def _run(self, plan: RootfsPlan, target: Path, root: Path, on_line: Callable[[str], None]) -> None:
        command = [
            *_guard(),
            "mmdebstrap",
            "--variant=minbase",
            '--aptopt=Acquire::Check-Valid-Until "false"',
            '--aptopt=Acquire::Retries "5"',
            *(f"--dpkgopt=path-exclude={pattern}" for pattern in _EXCLUDED),
            plan.rootfs.suite,
            str(target),
            *([plan.rootfs.mirror] if plan.rootfs.mirror else []),
        ]
        on_line(" ".join(command))
        # With a fixed date the same packages give the same bytes, so that the engine's cache holds.
        env = os.environ | {"SOURCE_DATE_EPOCH": "0", "TMPDIR": str(root)}
        lines: list[str] = []
        try:
            with subprocess.Popen(
                command,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                text=True,
                env=env,
                errors="replace",
            ) as process:
                self._process = process
                for line in process.stdout or ():
                    lines.append(line.rstrip())
                    on_line(lines[-1])
            if process.returncode != 0:
                raise _failure(plan, lines)
            target.replace(plan.archive)
        finally:
            self._process = None


@cache
def _guard() -> list[str]:
    """Start mmdebstrap so that it ends with us, however we end, and leaves no mounts.

    In namespaces of its own its mounts go with its processes, and those go with the first of them. That needs root;
    another user's mmdebstrap makes namespaces itself, and cleans up when it is told to end.
    """
    if not shutil.which("setpriv"):
        return []
    alone = ["unshare", "--mount", "--pid", "--fork", "--kill-child"]
    with contextlib.suppress(OSError, subprocess.SubprocessError):
        if subprocess.run([*alone, "true"], capture_output=True, check=False, timeout=_TRY_S).returncode == 0:
            return ["setpriv", "--pdeathsig", "KILL", *alone]
    return ["setpriv", "--pdeathsig", "TERM"]


def _failure(plan: RootfsPlan, lines: list[str]) -> Exception:
    if any(map(is_disk_full, lines)):
        return disk_full("mmdebstrap ran out of space")
    errors = [line for line in lines if line.startswith("E:")] or lines[-_LAST_LINES:]
    return BaseImageError(
        f"mmdebstrap could not make Debian {plan.rootfs.suite}",
        why="; ".join(errors),
        next_step="check the network and the mirror (base.rootfs.mirror), then run the same command again",
    )
