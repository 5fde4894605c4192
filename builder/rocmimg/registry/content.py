"""Manifests, tags and blobs of one repository."""

from __future__ import annotations

import re
import time
from http import HTTPStatus
from typing import Final
from urllib.parse import urlencode

from rocmimg.errors import RegistryError
from rocmimg.registry.reference import Reference
from rocmimg.registry.transport import Transport, refused
from rocmimg.registry.types import ACCEPT, OCI_MANIFEST, Descriptor, Manifest, digest_of

_NEXT_LINK: Final = re.compile(r'<([^>]+)>\s*;\s*rel="?next"?')
_UPLOADS: Final = 3
_BLOB_PAUSES_S: Final = (0.2, 1)


class Content:
    """What a repository holds, read and written."""

    def __init__(self, reference: Reference, transport: Transport) -> None:
        self.reference = reference
        self._transport = transport
        self._path = f"/v2/{reference.name}"
        self._pull = f"repository:{reference.name}:pull"
        self._push = f"repository:{reference.name}:pull,push"
        self._delete = f"repository:{reference.name}:delete,pull,push"

    def __str__(self) -> str:
        return self.reference.repository

    def digest(self, ref: str) -> str | None:
        """What a tag points to; None where there is no such tag (or digest)."""
        response = self._transport.call(
            "HEAD",
            f"{self._path}/manifests/{ref}",
            scope=self._pull,
            ok=(200, 404),
            what=f"cannot look up {self._named(ref)}",
            headers={"Accept": ACCEPT},
        )
        if response.status_code == HTTPStatus.NOT_FOUND:
            return None
        found = response.headers.get("Docker-Content-Digest")
        if found:
            return found
        manifest = self.manifest(ref)
        return manifest.digest if manifest else None

    def manifest(self, ref: str) -> Manifest | None:
        """The manifest of a tag or digest; None where there is none."""
        response = self._transport.call(
            "GET",
            f"{self._path}/manifests/{ref}",
            scope=self._pull,
            ok=(200, 404),
            what=f"cannot read {self._named(ref)}",
            headers={"Accept": ACCEPT},
        )
        if response.status_code == HTTPStatus.NOT_FOUND:
            return None
        content_type = response.headers.get("Content-Type", OCI_MANIFEST).partition(";")[0]
        manifest = Manifest(media_type=content_type, content=response.content)
        if ":" in ref and manifest.digest != ref:
            raise RegistryError(f"{self} holds something else as {ref}", why=f"its content has {manifest.digest}")
        return manifest

    def put_manifest(self, ref: str, manifest: Manifest) -> bool:
        """Store a manifest under a tag or its digest; whether the registry keeps the list of referrers itself."""
        for pause in (*_BLOB_PAUSES_S, 0):
            response = self._transport.call(
                "PUT",
                f"{self._path}/manifests/{ref}",
                scope=self._push,
                ok=(200, 201, 202, 400, 404),
                what=f"cannot write {self._named(ref)}",
                headers={"Content-Type": manifest.media_type},
                data=manifest.content,
            )
            # A blob that somebody else stores at this moment can be unknown for a moment.
            if response.ok or not pause or b"BLOB_UNKNOWN" not in response.content:
                break
            time.sleep(pause)
        if not response.ok:
            raise refused(f"cannot write {self._named(ref)}", self.reference.host, response)
        return "OCI-Subject" in response.headers

    def tags(self) -> list[str]:
        """All tags, sorted; empty where the repository does not exist yet."""
        found: list[str] = []
        path: str | None = f"{self._path}/tags/list?n=1000"
        while path:
            response = self._transport.call(
                "GET", path, scope=self._pull, ok=(200, 404), what=f"cannot list the tags of {self}"
            )
            if response.status_code == HTTPStatus.NOT_FOUND:
                break
            found += response.json().get("tags") or []
            link = _NEXT_LINK.search(response.headers.get("Link", ""))
            path = link[1] if link else None
        return sorted(found)

    def has_blob(self, digest: str) -> bool:
        """Whether the repository can hand out a blob."""
        response = self._transport.call(
            "HEAD", f"{self._path}/blobs/{digest}", scope=self._pull, ok=(200, 404), what=f"cannot look up {digest}"
        )
        return response.status_code == HTTPStatus.OK

    def blob(self, digest: str) -> bytes:
        """A blob's content, checked against its digest."""
        response = self._transport.call(
            "GET", f"{self._path}/blobs/{digest}", scope=self._pull, ok=(200,), what=f"cannot read {digest} of {self}"
        )
        if digest_of(response.content) != digest:
            raise RegistryError(
                f"{self} holds something else as {digest}", next_step="the registry's storage is broken"
            )
        return response.content

    def put_blob(self, data: bytes) -> Descriptor:
        """Store a blob, unless it is there; an upload that breaks off is started again."""
        digest = digest_of(data)
        for _ in range(_UPLOADS):
            if self.has_blob(digest):
                break
            location = self._start_upload()
            separator = "&" if "?" in location else "?"
            done = self._transport.call(
                "PUT",
                f"{location}{separator}{urlencode({'digest': digest})}",
                scope=self._push,
                ok=(200, 201, 202, 204, 404, 416),
                what=f"cannot upload to {self}",
                headers={"Content-Type": "application/octet-stream"},
                data=data,
            )
            if done.ok:
                break
        else:
            raise RegistryError(f"cannot upload to {self}", why="the registry forgets the upload before it ends")
        return Descriptor(media_type="application/octet-stream", digest=digest, size=len(data))

    def mount(self, digest: str, source: Content) -> None:
        """Take a blob over from another repository of the same registry, without moving its bytes."""
        if self.has_blob(digest):
            return
        query = urlencode({"mount": digest, "from": source.reference.name})
        response = self._transport.call(
            "POST",
            f"{self._path}/blobs/uploads/?{query}",
            scope=f"{self._push} repository:{source.reference.name}:pull",
            ok=(201, 202),
            what=f"cannot take {digest} over from {source}",
            headers={"Content-Length": "0"},
        )
        if response.status_code == HTTPStatus.ACCEPTED:
            self._cancel_upload(response.headers["Location"])
            raise RegistryError(
                f"cannot take {digest} over from {source}",
                why="the registry does not mount blobs between these repositories",
                next_step="use one repository for candidates and releases",
            )

    def require_push(self) -> None:
        """Raise RegistryDenied now where a later write would."""
        self._cancel_upload(self._start_upload())

    def _start_upload(self) -> str:
        response = self._transport.call(
            "POST",
            f"{self._path}/blobs/uploads/",
            scope=self._push,
            ok=(202,),
            what=f"cannot upload to {self}",
            headers={"Content-Length": "0"},
        )
        return response.headers["Location"]

    def _cancel_upload(self, location: str) -> None:
        # Some registries do not support it, some want the right to delete for it; abandoned uploads expire.
        self._transport.call(
            "DELETE",
            location,
            scope=self._push,
            ok=(200, 202, 204, 401, 403, 404, 405),
            what=f"cannot cancel an upload to {self}",
        )

    def _named(self, ref: str) -> str:
        return f"{self}@{ref}" if ":" in ref else f"{self}:{ref}"
