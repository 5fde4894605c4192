"""The calls of the OCI distribution specification that lock and release need."""

from __future__ import annotations

import json
from collections.abc import Mapping
from http import HTTPStatus
from typing import Final
from urllib.parse import quote

from rocmimg.engine.credentials import credentials
from rocmimg.errors import RegistryError
from rocmimg.registry.content import Content
from rocmimg.registry.reference import Reference
from rocmimg.registry.transport import Transport
from rocmimg.registry.types import OCI_EMPTY, OCI_INDEX, OCI_MANIFEST, Descriptor, Manifest

_EMPTY: Final = b"{}"
_LIST_TRIES: Final = 5


class Registries:
    """Repositories of any registry, one connection and one set of credentials each."""

    def __init__(self) -> None:
        self._transports: dict[str, Transport] = {}

    def repository(self, reference: Reference) -> Repository:
        """The repository that ``reference`` is in."""
        if reference.host not in self._transports:
            self._transports[reference.host] = Transport(reference.api_host, credentials(reference.host))
        return Repository(reference.at(), self._transports[reference.host])


class Repository(Content):
    """One repository of a registry; every method may be called from any thread and raises RegistryError."""

    def delete(self, digest: str) -> None:
        """Remove a manifest and every tag that points to it."""
        response = self._transport.call(
            "DELETE",
            f"{self._path}/manifests/{digest}",
            scope=self._delete,
            ok=(200, 202, 404, 405),
            what=f"cannot delete {digest} of {self}",
        )
        if response.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
            raise RegistryError(
                f"cannot delete {digest} of {self}",
                why="the registry is configured without deletion",
                next_step="Debian's docker-registry wants storage.delete.enabled in its config.yml",
            )

    def delete_with_attachments(self, digest: str) -> None:
        """Remove a manifest, every tag that points to it, and all that was attached to it."""
        attached = [entry.digest for entry in self.referrers(digest)]
        index = self.digest(_fallback_tag(digest))
        self.delete(digest)
        for other in (*attached, *([index] if index else [])):
            self.delete(other)

    def untag(self, tag: str) -> None:
        """Remove one tag and leave what it points to.

        Registries from before OCI distribution 1.0 delete by digest only: there the tag first gets a manifest of its
        own, which is then deleted.
        """
        response = self._transport.call(
            "DELETE",
            f"{self._path}/manifests/{quote(tag)}",
            scope=self._delete,
            ok=(200, 202, 400, 404, 405),
            what=f"cannot delete {self._named(tag)}",
        )
        if response.ok or response.status_code == HTTPStatus.NOT_FOUND:
            return
        config = self.put_blob(json.dumps({"rocmimg": "removed", "tag": tag}).encode())
        content = {
            "schemaVersion": 2,
            "mediaType": OCI_MANIFEST,
            "config": {**config.json(), "mediaType": OCI_EMPTY},
            "layers": [],
        }
        manifest = Manifest(media_type=OCI_MANIFEST, content=json.dumps(content).encode())
        self.put_manifest(tag, manifest)
        self.delete(manifest.digest)

    def referrers(self, digest: str) -> list[Descriptor]:
        """What was attached to a manifest, oldest first as the registry keeps it."""
        response = self._transport.call(
            "GET",
            f"{self._path}/referrers/{digest}",
            scope=self._pull,
            ok=(200, 400, 404, 405),
            what=f"cannot list what is attached to {digest} of {self}",
            headers={"Accept": OCI_INDEX},
        )
        if response.ok and response.headers.get("Content-Type", "").startswith(OCI_INDEX):
            return [Descriptor.read(entry) for entry in response.json().get("manifests") or ()]
        index = self.manifest(_fallback_tag(digest))
        return list(index.children) if index else []

    def attach(
        self, subject: Descriptor, artifact_type: str, data: bytes, *, annotations: Mapping[str, str]
    ) -> Descriptor:
        """Attach ``data`` to a manifest, as the OCI image specification's artifacts; its descriptor."""
        config, blob = self.put_blob(_EMPTY), self.put_blob(data)
        content = {
            "schemaVersion": 2,
            "mediaType": OCI_MANIFEST,
            "artifactType": artifact_type,
            "config": {**config.json(), "mediaType": OCI_EMPTY},
            "layers": [{**blob.json(), "mediaType": artifact_type}],
            "subject": {"mediaType": subject.media_type, "digest": subject.digest, "size": subject.size},
            "annotations": dict(annotations),
        }
        manifest = Manifest(media_type=OCI_MANIFEST, content=json.dumps(content, sort_keys=True).encode())
        descriptor = Descriptor(
            media_type=OCI_MANIFEST,
            digest=manifest.digest,
            size=len(manifest.content),
            artifact_type=artifact_type,
            annotations=annotations,
        )
        if not self.put_manifest(manifest.digest, manifest):
            self._list_referrer(subject.digest, descriptor)
        return descriptor

    def attached(self, descriptor: Descriptor) -> bytes:
        """The data of something that was attached."""
        manifest = self.manifest(descriptor.digest)
        layers = manifest.data.get("layers") or () if manifest else ()
        if not layers:
            raise RegistryError(f"{descriptor.digest} of {self} holds no data")
        return self.blob(str(layers[0]["digest"]))

    def _list_referrer(self, digest: str, descriptor: Descriptor) -> None:
        """The fallback of the specification for registries without the referrers API: an index under a known tag."""
        tag = _fallback_tag(digest)
        for _ in range(_LIST_TRIES):
            index = self.manifest(tag)
            listed = list(index.children) if index else []
            if any(entry.digest == descriptor.digest for entry in listed):
                return
            entries = [entry.json() for entry in (*listed, descriptor)]
            content = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": entries}
            self.put_manifest(tag, Manifest(media_type=OCI_INDEX, content=json.dumps(content).encode()))
        # Each round reads back what the one before wrote: only others who write all the time get us here.
        raise RegistryError(f"cannot attach to {digest} of {self}", why="others change the list at the same time")


def _fallback_tag(digest: str) -> str:
    return digest.replace(":", "-", 1)
