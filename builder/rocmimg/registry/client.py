"""The calls of the OCI distribution specification that lock and release need."""

from __future__ import annotations

import contextlib
import json
import re
import time
from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from http import HTTPStatus
from typing import TYPE_CHECKING, Final
from urllib.parse import quote, urlencode

from rocmimg.engine.credentials import credentials
from rocmimg.errors import RegistryError
from rocmimg.registry.reference import Reference
from rocmimg.registry.transport import BLOB_LIMIT, Transport, document, refused
from rocmimg.registry.types import ACCEPT, OCI_EMPTY, OCI_INDEX, OCI_MANIFEST, Descriptor, Manifest, digest_of

if TYPE_CHECKING:
    from requests import Response

_EMPTY: Final = b"{}"
_LIST_TRIES: Final = 5
_NEXT_LINK: Final = re.compile(r'<([^>]+)>\s*;\s*rel="?next"?')
_UPLOADS: Final = 3
_PAGES: Final = 10_000
_BLOB_PAUSES_S: Final = (0.2, 1)


class Registries:
    """Repositories of any registry, one connection and one set of credentials each."""

    def __init__(self) -> None:
        self._transports: dict[str, Transport] = {}

    def repository(self, reference: Reference) -> Repository:
        """The repository that ``reference`` is in."""
        if reference.host not in self._transports:
            self._transports[reference.host] = Transport(reference.api_host, credentials(reference.host))
        return Repository(reference.at(), self._transports[reference.host])


class Repository:
    """One repository of a registry; every method may be called from any thread and raises RegistryError."""

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
        what = f"cannot read {self._named(ref)}"
        document(response, what)
        content_type = response.headers.get("Content-Type", OCI_MANIFEST).partition(";")[0]
        manifest = Manifest(media_type=content_type, content=response.content)
        if ":" in ref and manifest.digest != ref:
            raise RegistryError(f"{self} holds something else as {ref}", why=f"its content has {manifest.digest}")
        with _understood(what):
            _ = manifest.blobs, manifest.children
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
        found: set[str] = set()
        what = f"cannot list the tags of {self}"
        for response, more in self._pages(f"{self._path}/tags/list?n=1000", ok=(200, 404), what=what):
            if response.status_code == HTTPStatus.NOT_FOUND:
                break
            with _understood(what):
                page = {tag for tag in document(response, what).get("tags") or () if isinstance(tag, str)}
            if more and page <= found:
                raise _comes_round(what)
            found |= page
        return sorted(found)

    def _pages(
        self, path: str, *, ok: tuple[int, ...], what: str, headers: Mapping[str, str] | None = None
    ) -> Iterator[tuple[Response, bool]]:
        """An answer and those that its ``Link`` headers lead to, each with whether another one follows."""
        for _ in range(_PAGES):
            response = self._transport.call("GET", path, scope=self._pull, ok=ok, what=what, headers=headers)
            link = _NEXT_LINK.search(response.headers.get("Link", ""))
            yield response, link is not None
            if not link:
                return
            path = link[1]
        raise RegistryError(what, why=f"it has more than {_PAGES} pages")

    def has_blob(self, digest: str) -> bool:
        """Whether the repository can hand out a blob."""
        response = self._transport.call(
            "HEAD", f"{self._path}/blobs/{digest}", scope=self._pull, ok=(200, 404), what=f"cannot look up {digest}"
        )
        return response.status_code == HTTPStatus.OK

    def blob(self, digest: str) -> bytes:
        """A blob's content, checked against its digest."""
        response = self._transport.call(
            "GET",
            f"{self._path}/blobs/{digest}",
            scope=self._pull,
            ok=(200,),
            what=f"cannot read {digest} of {self}",
            limit=BLOB_LIMIT,
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

    def mount(self, digest: str, source: Repository) -> None:
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
            self._cancel_upload(self._location(response))
            raise RegistryError(
                f"cannot take {digest} over from {source}",
                why="the registry does not mount blobs between these repositories",
                next_step="use one repository for candidates and releases",
            )

    def require_push(self) -> None:
        """Raise RegistryDenied now where a later write would."""
        self._cancel_upload(self._start_upload())

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

    def delete_with_attachments(self, digest: str, but: Collection[str] = ()) -> None:
        """Remove a manifest, every tag that points to it, and all that was attached to it, ``but`` nothing of these.

        Whoever may push can write the list of what is attached, and the tag that it lies under: neither may name an
        image that stays.
        """
        attached = [entry.digest for entry in self.referrers(digest) if self._is_about(entry.digest, digest)]
        index = self.digest(_fallback_tag(digest))
        self.delete(digest)
        for other in (*attached, *([index] if index else [])):
            if other not in but:
                self.delete(other)

    def _is_about(self, attached: str, subject: str) -> bool:
        """Whether a manifest itself says what it is attached to: a list that anybody can write may name any image."""
        manifest = self.manifest(attached)
        of = manifest.data.get("subject") if manifest else None
        return isinstance(of, dict) and of.get("digest") == subject

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
        what = f"cannot list what is attached to {digest} of {self}"
        found: dict[str, Descriptor] = {}
        pages = self._pages(
            f"{self._path}/referrers/{digest}", ok=(200, 400, 404, 405), what=what, headers={"Accept": OCI_INDEX}
        )
        for number, (response, more) in enumerate(pages):
            if not response.ok or not response.headers.get("Content-Type", "").startswith(OCI_INDEX):
                if number:  # a list without its end could hide the newest failure
                    raise RegistryError(what, why="a page of the list does not come")
                break
            with _understood(what):
                page = [Descriptor.read(entry) for entry in document(response, what).get("manifests") or ()]
            if number and more and found.keys() >= {entry.digest for entry in page}:
                raise _comes_round(what)
            found |= {entry.digest: entry for entry in page}
        else:
            return list(found.values())
        index = self.manifest(_fallback_tag(digest))
        listed = list(index.children) if index else []
        return listed + self._unlisted(digest, listed)

    def _unlisted(self, digest: str, listed: list[Descriptor]) -> list[Descriptor]:
        """Attachments that have a tag of their own and are lost from the list: two that write it at once do that."""
        prefix = _own_tag(digest, "")
        known = {_own_tag(digest, entry.digest) for entry in listed}
        return [self._described(tag) for tag in self.tags() if tag.startswith(prefix) and tag not in known]

    def _described(self, tag: str) -> Descriptor:
        manifest = self.manifest(tag)
        if manifest is None:
            raise RegistryError(f"{self}:{tag} went away", next_step="run the same command again")
        data = manifest.data
        with _understood(f"cannot read {self}:{tag}"):
            annotations = dict(data.get("annotations") or {})
        return replace(manifest.descriptor, artifact_type=str(data.get("artifactType", "")), annotations=annotations)

    def attach(
        self, subject: Descriptor, artifact_type: str, data: bytes, *, annotations: Mapping[str, str]
    ) -> Descriptor:
        """Attach ``data`` to a manifest, as the OCI image specification's artifacts; its descriptor."""
        manifest = self._artifact(
            artifact_type,
            data,
            subject={"mediaType": subject.media_type, "digest": subject.digest, "size": subject.size},
            annotations=dict(annotations),
        )
        descriptor = Descriptor(
            media_type=OCI_MANIFEST,
            digest=manifest.digest,
            size=len(manifest.content),
            artifact_type=artifact_type,
            annotations=annotations,
        )
        self._put_attached(subject.digest, manifest, descriptor)
        return descriptor

    def _put_attached(self, subject: str, manifest: Manifest, descriptor: Descriptor) -> None:
        if self.put_manifest(manifest.digest, manifest):
            return  # the registry keeps the list
        self.put_manifest(_own_tag(subject, manifest.digest), manifest)
        self._list_referrer(subject, descriptor)

    def copy_attached(self, entry: Descriptor, subject: Descriptor, source: Repository) -> None:
        """Attach the same thing here, byte for byte: its digest is part of what others say of it."""
        manifest = source.manifest(entry.digest)
        if manifest is None:
            return  # removed meanwhile
        for blob in manifest.blobs:
            if not self.has_blob(blob.digest):
                self.put_blob(source.blob(blob.digest))
        self._put_attached(subject.digest, manifest, replace(entry, media_type=manifest.media_type))

    def put_artifact(self, tag: str, artifact_type: str, data: bytes) -> str:
        """Store ``data`` under a tag, as an artifact that is attached to nothing; its digest."""
        manifest = self._artifact(artifact_type, data)
        self.put_manifest(tag, manifest)
        return manifest.digest

    def artifact(self, tag: str, artifact_type: str) -> bytes | None:
        """What :meth:`put_artifact` stored; None where the tag does not exist, or is another thing."""
        manifest = self.manifest(tag)
        if manifest is None or manifest.data.get("artifactType") != artifact_type:
            return None
        return self.attached(manifest.descriptor)

    def _artifact(self, artifact_type: str, data: bytes, **more: object) -> Manifest:
        config, blob = self.put_blob(_EMPTY), self.put_blob(data)
        content = {
            "schemaVersion": 2,
            "mediaType": OCI_MANIFEST,
            "artifactType": artifact_type,
            "config": {**config.json(), "mediaType": OCI_EMPTY},
            "layers": [{**blob.json(), "mediaType": artifact_type}],
            **more,
        }
        return Manifest(media_type=OCI_MANIFEST, content=json.dumps(content, sort_keys=True).encode())

    def attached(self, descriptor: Descriptor) -> bytes:
        """The data of something that was attached."""
        manifest = self.manifest(descriptor.digest)
        layers = manifest.data.get("layers") or () if manifest else ()
        if not layers:
            raise RegistryError(f"{descriptor.digest} of {self} holds no data")
        with _understood(f"{descriptor.digest} of {self} cannot be read"):
            digest = str(layers[0]["digest"])
        return self.blob(digest)

    def _start_upload(self) -> str:
        response = self._transport.call(
            "POST",
            f"{self._path}/blobs/uploads/",
            scope=self._push,
            ok=(202,),
            what=f"cannot upload to {self}",
            headers={"Content-Length": "0"},
        )
        return self._location(response)

    def _location(self, response: Response) -> str:
        location = response.headers.get("Location")
        if not location:
            raise RegistryError(f"cannot upload to {self}", why=f"{self.reference.host} does not say where to")
        return location

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

    def _list_referrer(self, digest: str, descriptor: Descriptor) -> None:
        """The fallback of the specification for registries without the referrers API: an index under a known tag."""
        tag = _fallback_tag(digest)
        for _ in range(_LIST_TRIES):
            index = self.manifest(tag)
            listed = list(index.children) if index else []
            missing = {entry.digest: entry for entry in (*self._unlisted(digest, listed), descriptor)}
            missing = {digest: entry for digest, entry in missing.items() if digest not in {e.digest for e in listed}}
            if not missing:
                return
            entries = [entry.json() for entry in (*listed, *missing.values())]
            content = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": entries}
            self.put_manifest(tag, Manifest(media_type=OCI_INDEX, content=json.dumps(content).encode()))
        # Each round reads back what the one before wrote: only others who write all the time get us here.
        raise RegistryError(f"cannot attach to {digest} of {self}", why="others change the list at the same time")


@contextlib.contextmanager
def _understood(what: str) -> Iterator[None]:
    """Content of another form than the specification's is the registry's fault, not a defect of ours."""
    try:
        yield
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise RegistryError(what, why=f"its content is not what the specification says: {error!r}") from error


def _own_tag(subject: str, attached: str) -> str:
    """A tag for one attachment alone, which nobody else writes."""
    return f"{_fallback_tag(subject)}.{attached.partition(':')[2][:16]}"


def _comes_round(what: str) -> RegistryError:
    return RegistryError(what, why="its pages come round again", next_step="the registry is broken")


def _fallback_tag(digest: str) -> str:
    return digest.replace(":", "-", 1)
