"""What a name pointed to before, and how an image differs from the release before it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from rocmimg.registry import INDEX_TYPES
from rocmimg.registry.client import Repository
from rocmimg.release import records
from rocmimg.release.records import PROVENANCE, ImageRecords, Promotion
from rocmimg.release.signing import Trust

_IMAGES: Final = 20
"""So many images are asked what they know of a name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """A promotion or a rollback that pointed a name to an image."""

    digest: str
    record: Promotion


def history(name: str, repository: Repository, digest: str, trust: Trust) -> tuple[Move, ...]:
    """How ``name`` came to be at ``digest``, oldest first, as far as images that it named are still there.

    Each record says what the name pointed to before it, so one image leads to the next.
    """
    waiting, seen, found = [digest], {digest}, []
    while waiting and len(seen) <= _IMAGES:
        one = waiting.pop()
        for record in records.promotions(ImageRecords(repository, one, trust)):
            if name in record.aliases or name in record.tags:
                found.append(Move(digest=one, record=record))
                before = record.aliases.get(name, "")
                if before and before not in seen:
                    seen.add(before)
                    waiting.append(before)
    return tuple(sorted(found, key=lambda move: move.record.when))


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """What an image in the registry is made of."""

    digest: str
    layers: Mapping[str, int]
    """Digest -> compressed bytes, lowest first."""
    pins: Mapping[str, str]
    """Component or base -> what its provenance says of it; empty where it has none that is believed."""


def content(repository: Repository, digest: str, trust: Trust) -> Content | None:
    """The layers and pins of an image; None where it is gone."""
    manifest = repository.manifest(digest)
    if manifest is not None and manifest.media_type in INDEX_TYPES:
        images = [one for one in manifest.children if "vnd.docker.reference.type" not in one.annotations]
        manifest = repository.manifest(images[0].digest) if images else None
    if manifest is None:
        return None
    layers = {blob.digest: blob.size for blob in manifest.blobs[1:]}
    return Content(digest=digest, layers=layers, pins=_pins(ImageRecords(repository, digest, trust)))


def _pins(known: ImageRecords) -> dict[str, str]:
    found: dict[str, str] = {}
    for record in known.of(PROVENANCE):
        definition = record.predicate.get("buildDefinition")
        sources = definition.get("resolvedDependencies") if isinstance(definition, dict) else None
        for source in sources if isinstance(sources, list) else ():
            if isinstance(source, dict):
                name, pin = _pin(source)
                found[name] = pin
    return found


def _pin(source: Mapping[str, Any]) -> tuple[str, str]:
    uri, digests = str(source.get("uri", "")), source.get("digest") or {}
    short = next((str(value)[:12] for value in digests.values()), "") if isinstance(digests, dict) else ""
    if uri.startswith("docker://"):
        return "base", " ".join(filter(None, (uri.removeprefix("docker://"), short)))
    ref = uri.rpartition("@")[2]
    return str(source.get("name") or uri), " ".join(dict.fromkeys(filter(None, (ref, short))))
