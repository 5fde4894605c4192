"""What a registry holds."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

OCI_MANIFEST: Final = "application/vnd.oci.image.manifest.v1+json"
OCI_INDEX: Final = "application/vnd.oci.image.index.v1+json"
OCI_EMPTY: Final = "application/vnd.oci.empty.v1+json"
DOCKER_MANIFEST: Final = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_LIST: Final = "application/vnd.docker.distribution.manifest.list.v2+json"
INDEX_TYPES: Final = frozenset({OCI_INDEX, DOCKER_LIST})
ACCEPT: Final = f"{OCI_INDEX}, {DOCKER_LIST}, {OCI_MANIFEST}, {DOCKER_MANIFEST}"


def digest_of(data: bytes) -> str:
    """The digest under which a registry stores ``data``."""
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Descriptor:
    """A pointer to content: what it is, its digest, its size in bytes."""

    media_type: str
    digest: str
    size: int
    artifact_type: str = ""
    annotations: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def read(cls, data: Mapping[str, Any]) -> Descriptor:
        """From the JSON of the OCI image specification."""
        return cls(
            media_type=str(data.get("mediaType", "")),
            digest=str(data["digest"]),
            size=int(data.get("size", 0)),
            artifact_type=str(data.get("artifactType", "")),
            annotations=dict(data.get("annotations") or {}),
        )

    def json(self) -> dict[str, Any]:
        """As the OCI image specification writes it."""
        return {
            "mediaType": self.media_type,
            "digest": self.digest,
            "size": self.size,
            **({"artifactType": self.artifact_type} if self.artifact_type else {}),
            **({"annotations": dict(self.annotations)} if self.annotations else {}),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """A manifest, byte for byte: its digest is the image's name."""

    media_type: str
    content: bytes = field(repr=False)

    @property
    def digest(self) -> str:
        return digest_of(self.content)

    @property
    def data(self) -> Mapping[str, Any]:
        """Parsed."""
        value = json.loads(self.content)
        return value if isinstance(value, dict) else {}

    @property
    def descriptor(self) -> Descriptor:
        return Descriptor(media_type=self.media_type, digest=self.digest, size=len(self.content))

    @property
    def blobs(self) -> tuple[Descriptor, ...]:
        """Config and layers; empty for an index."""
        data = self.data
        parts = [data["config"]] if "config" in data else []
        return tuple(Descriptor.read(part) for part in (*parts, *data.get("layers", ())))

    @property
    def children(self) -> tuple[Descriptor, ...]:
        """Manifests of an index."""
        return tuple(Descriptor.read(part) for part in self.data.get("manifests", ()))
