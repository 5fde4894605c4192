"""What a killed run left behind: found by the next one, and removed where it is ours and its process is gone.

A name carries the process that made it: the boot of the machine, the process id namespace, the user, the process id and
when that process began. So neither a process of another user, container or machine with the same engine or disk is
taken for a dead one, nor a later process that got the same number.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

_TOKEN: Final = re.compile(r"([0-9a-f]{12})_([0-9]+)_([0-9]+)_([0-9]+)_([0-9]+)")
_OLD_S: Final = 86400
"""Of what another boot or container made, nobody can tell whether its process runs; no run takes that long."""
_ENDED: Final = ("Z", "X")
_swept: set[Path] = set()


def token() -> str:
    """This process; empty where the machine does not say enough to tell it from others."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").replace("-", "")[:12]
        namespace = Path("/proc/self/ns/pid").stat().st_ino
        _, began = _process(os.getpid())
    except (OSError, ValueError, IndexError):
        return ""
    return f"{boot}_{namespace}_{os.geteuid()}_{os.getpid()}_{began}"


def is_gone(made_by: str) -> bool:
    """Whether a process was one of this user, machine and container, and has ended."""
    theirs, ours = _TOKEN.fullmatch(made_by), _TOKEN.fullmatch(token())
    if not theirs or not ours or theirs.groups()[:3] != ours.groups()[:3]:
        return False
    try:
        state, began = _process(int(theirs[4]))
    except FileNotFoundError:
        return True
    except (OSError, ValueError, IndexError):
        return False
    return began != int(theirs[5]) or state in _ENDED


@contextlib.contextmanager
def scratch(prefix: str, parent: Path | None = None) -> Iterator[Path]:
    """A folder until the block ends. Those that killed runs left beside it are removed first.

    Raises:
        OSError: there is no room for one.
    """
    place = parent or Path(tempfile.gettempdir())
    if place not in _swept:
        _swept.add(place)
        sweep(place)
    with tempfile.TemporaryDirectory(prefix=f"{prefix}{token()}.", dir=place, ignore_cleanup_errors=True) as folder:
        yield Path(folder)


def sweep(place: Path) -> None:
    """Remove the folders of :func:`scratch` whose processes are gone."""
    with contextlib.suppress(OSError):
        for found in place.iterdir():
            if (name := _TOKEN.search(found.name)) and _is_left(found, name[0]):
                shutil.rmtree(found, ignore_errors=True)


def _is_left(folder: Path, made_by: str) -> bool:
    try:
        said = folder.lstat()
    except OSError:
        return False
    if said.st_uid != os.geteuid() or not folder.is_dir() or folder.is_symlink():
        return False
    return is_gone(made_by) or (
        made_by.partition("_")[0] != token().partition("_")[0] and said.st_mtime < time.time() - _OLD_S
    )


def _process(number: int) -> tuple[str, int]:
    """State and beginning of a process. A name may hold spaces and parentheses: the fields start behind the last."""
    fields = Path(f"/proc/{number}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
    return fields[0], int(fields[19])
