"""By what an image is recognized as the one that a plan describes: its labels, its tags, and what it was built from."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Protocol

LABEL_CELL: Final = "io.rocmimg.cell"
LABEL_DIGEST: Final = "io.rocmimg.plan"
LABEL_INPUTS: Final = "io.rocmimg.inputs"


class Recognizable(Protocol):
    """What of a planned image decides whether it is up to date."""

    @property
    def id(self) -> str: ...
    @property
    def needs(self) -> str | None: ...
    @property
    def base(self) -> str: ...
    @property
    def tags(self) -> tuple[str, ...]: ...
    @property
    def rootfs_key(self) -> str: ...
    @property
    def prebuilt(self) -> str: ...
    @property
    def pinned_digest(self) -> str: ...
    def all_inputs(self, base_id: str) -> dict[str, str]: ...
    def digest(self, base_id: str) -> str: ...


def digest_of(inputs: Mapping[str, str]) -> str:
    """sha256 over every input: equal digests mean equal recipes."""
    return f"sha256:{hashlib.sha256(json.dumps(dict(inputs), sort_keys=True).encode()).hexdigest()}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Recognition:
    """The part of a planned image that tells whether it is up to date, without what it takes to build it."""

    id: str
    needs: str | None
    base: str
    tags: tuple[str, ...]
    rootfs_key: str
    prebuilt: str
    pinned_digest: str
    named_inputs: Mapping[str, str]

    def all_inputs(self, base_id: str) -> dict[str, str]:
        """``named_inputs`` and the base image's id."""
        return {"base image": base_id, **self.named_inputs}

    def digest(self, base_id: str) -> str:
        """As of the planned image."""
        return digest_of(self.all_inputs(base_id))
