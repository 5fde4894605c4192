"""images.lock.yaml: its shape; read with positions, written as a whole or not at all."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Final, Literal

import yaml
from pydantic import Field

from rocmimg.errors import ConfigError, LockError, Position
from rocmimg.matrix.model import Commit, GitUrl, ImageRef, Model, Text
from rocmimg.matrix.nodes import read_yaml
from rocmimg.matrix.validate import validate
from rocmimg.paths import write_atomic

VERSION: Final = 1
DEFAULT_INDEX: Final = "default"
"""The index of a cell's network settings, else the one that pip takes by itself."""

Digest = Annotated[str, Field(pattern=r"^sha256:[0-9a-f]{64}$")]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
_HEADER: Final = "# Written by `rocmimg lock`. Commit it; do not edit it.\n"


class GitPin(Model):
    """What a ref of a repository meant."""

    kind: Literal["tag", "branch", "commit", "ref"]
    """``commit``: images.yaml already names one; ``ref``: anything else below refs/."""
    commit: Commit


class PackagePin(Model):
    """The version that fits the bounds of a Python package, and the files that an index had of it."""

    version: Text
    files: Mapping[str, Sha256] = {}
    """File name -> sha256, for Linux on x86-64 and for any platform; empty where the index tells no hashes."""


class Lock(Model):
    """All look-ups of one matrix, each once."""

    version: Literal[1] = VERSION
    git: Mapping[GitUrl, Mapping[Text, GitPin]] = {}
    """Repository -> ref -> what it meant."""
    images: Mapping[ImageRef, Digest] = {}
    """Base image -> digest of its manifest, or of its list of manifests."""
    local: Mapping[ImageRef, Digest] = {}
    """Base image that no registry has -> its id on the engine that was asked."""
    packages: Mapping[str, Mapping[str, PackagePin]] = {}
    """Python index -> requirement (``cmake<4``) -> what fits."""
    downloads: Mapping[str, Mapping[Text, Sha256]] = {}
    """What recipes fetch by URL (``mooncake.go``) -> version -> sha256, as images.yaml and the recipes say them."""
    snapshots: Mapping[str, Annotated[str, Field(pattern=r"^[0-9]{8}T[0-9]{6}Z$")]] = {}
    """Debian snapshot service -> the moment whose packages are used."""


def lock_path(matrix: Path) -> Path:
    """Where the lock of a matrix lies: images.yaml -> images.lock.yaml."""
    return matrix.with_name(f"{matrix.stem}.lock.yaml")


def read_lock(path: Path) -> Lock | None:
    """The lock; None where there is none.

    Raises:
        LockError: it cannot be read, or is not a lock of this version.
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
