"""The shape of images.lock.yaml."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Final, Literal

from pydantic import Field

from rocmimg.matrix.model import Commit, GitUrl, ImageRef, Model, Text

VERSION: Final = 1
DEFAULT_INDEX: Final = "default"
"""The index of a cell's network settings, else the one that pip takes by itself."""

Digest = Annotated[str, Field(pattern=r"^sha256:[0-9a-f]{64}$")]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


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
    packages: Mapping[str, Mapping[str, PackagePin]] = {}
    """Python index -> requirement (``cmake<4``) -> what fits."""
    snapshots: Mapping[str, Annotated[str, Field(pattern=r"^[0-9]{8}T[0-9]{6}Z$")]] = {}
    """Debian snapshot service -> the moment whose packages are used."""
