"""The lock on disk: read with positions, written as a whole or not at all."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import yaml

from rocmimg.errors import ConfigError, LockError, Position
from rocmimg.lock.model import VERSION, Lock
from rocmimg.matrix.nodes import read_yaml
from rocmimg.matrix.validate import validate
from rocmimg.paths import write_atomic

_HEADER: Final = "# Written by `rocmimg lock`. Commit it; do not edit it.\n"


def lock_path(matrix: Path) -> Path:
    """Where the lock of a matrix lies: images.yaml -> images.lock.yaml."""
    return matrix.with_name(f"{matrix.stem}.lock.yaml")


def read_lock(path: Path) -> Lock | None:
    """The lock; None where there is none.

    Raises:
        LockError: it cannot be read, or is no lock of this version.
    """
    if not path.exists():
        return None
    try:
        node = read_yaml(path, path.name)
        found = node.children.get("version")
        if found is not None and found.value != VERSION:
            raise LockError(
                f"the lock has version {found.value}",
                why=f"this rocmimg reads version {VERSION}",
                next_step="run `rocmimg lock` with this rocmimg, or use the one that wrote it",
                position=found.position,
            )
        return validate(Lock, node)
    except ConfigError as error:
        raise LockError(
            "the lock is broken",
            why="; ".join(part for part in (error.what, error.why) if part),
            next_step=f"take {path.name} from version control, or remove it and run `rocmimg lock`",
            position=error.position or Position(path.name),
        ) from error


def write_lock(lock: Lock, path: Path) -> bool:
    """Write the lock, unless the file says the same already; whether it was written.

    Raises:
        LockError: the folder cannot be written; the old file stays.
    """
    text = _HEADER + yaml.safe_dump(lock.model_dump(mode="json"), sort_keys=True, width=1000)
    try:
        if path.exists() and path.read_text(encoding="utf-8") == text:
            return False
        write_atomic(path, text)
    except OSError as error:
        raise LockError(f"{path} cannot be written", why=str(error), next_step="the old lock is untouched") from error
    return True
