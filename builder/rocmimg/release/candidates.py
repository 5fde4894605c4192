"""Candidates: immutable tags that nobody is told to use, one for each image that was pushed."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from rocmimg.errors import GateRefused, RegistryError
from rocmimg.plan import LABEL_CELL, LABEL_DIGEST, LABEL_INPUTS, ImagePlan
from rocmimg.registry import INDEX_TYPES, Manifest, Reference, parse
from rocmimg.registry.client import Registries, Repository

_REST: Final = re.compile(r"(\d{8}T\d{6}Z)-([0-9a-f]{12})")
PREFIX: Final = "candidate-"
_EPOCH: Final = "1970-01-01T00:00:00Z"
_SKEW: Final = timedelta(hours=1)
"""So far a clock may be ahead."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """One candidate of a cell in the registry."""

    repository: Repository
    tag: str
    manifest: Manifest
    config: Mapping[str, Any]
    """The image's configuration blob."""

    @property
    def digest(self) -> str:
        return self.manifest.digest

    @property
    def labels(self) -> Mapping[str, str]:
        return _labels(self.config)

    @property
    def created(self) -> str:
        """RFC 3339; the epoch where the image does not say."""
        return str(self.config.get("created") or _EPOCH)

    def fits(self, image: ImagePlan) -> bool:
        """Whether it is what images.yaml says now."""
        return self.digest == image.pinned_digest if image.prebuilt else fits(self.labels, image)

    def plan(self, image: ImagePlan) -> str:
        """The digest of the plan that it was built from; its own where another pipeline built it."""
        return plan_of(image, self.digest, self.labels)


def repository_of(image: ImagePlan, registries: Registries) -> Repository:
    """Where the candidates of a cell are."""
    release = image.cell.config.release
    return registries.repository(
        parse(release.candidate_repository) if release.candidate_repository else public_reference(image)
    )


def public_reference(image: ImagePlan) -> Reference:
    """The repository of a cell's public names.

    Raises:
        RegistryError: the cell has none.
    """
    names = (*image.cell.tags, *image.cell.aliases)
    if not names:
        raise RegistryError(f"{image.id} has no tags", next_step="add `tags` to images.yaml", position=_where(image))
    return parse(names[0])


def _where(image: ImagePlan) -> Any:
    return image.cell.position("tags")


def tag_of(cell_id: str, created: str, image_id: str) -> str:
    """The tag of an image: when it was created, so that tags sort, and its id, so that no two images share one."""
    try:
        moment = datetime.fromisoformat(created).astimezone(UTC)
    except (ValueError, OverflowError):  # what an image says of itself may be anything
        moment = datetime.fromisoformat(_EPOCH)
    return f"{PREFIX}{cell_id}-{moment.year:04d}{moment:%m%dT%H%M%SZ}-{image_id.removeprefix('sha256:')[:12]}"


def tags_of(cell_id: str, tags: list[str], now: datetime | None = None) -> list[str]:
    """Those of ``tags`` that are candidates of a cell, newest first.

    A tag dated in the future, by a clock that is wrong, comes last: it must not hide what is made after it.
    """
    prefix = f"{PREFIX}{cell_id}-"
    mine = sorted((t for t in tags if t.startswith(prefix) and _REST.fullmatch(t[len(prefix) :])), reverse=True)
    latest = ((now or datetime.now(UTC)) + _SKEW).strftime("%Y%m%dT%H%M%SZ")
    return sorted(mine, key=lambda tag: tag[len(prefix) :][: len(latest)] > latest)


def candidates(image: ImagePlan, repository: Repository) -> Iterator[Candidate]:
    """The candidates of a cell, newest first, read one by one."""
    for tag in tags_of(image.id, repository.tags()):
        manifest = repository.manifest(tag)
        if manifest is not None and (manifest.blobs or manifest.children):
            yield Candidate(repository=repository, tag=tag, manifest=manifest, config=read_config(repository, manifest))


def read_config(repository: Repository, manifest: Manifest) -> Mapping[str, Any]:
    """The configuration of an image; of an index, that of its first image."""
    if manifest.media_type in INDEX_TYPES:
        images = [m for m in manifest.children if "vnd.docker.reference.type" not in m.annotations]
        inner = repository.manifest(images[0].digest) if images else None
        if inner is None:
            raise RegistryError(f"{repository}@{manifest.digest} names no image")
        manifest = inner
    if not manifest.blobs:
        raise RegistryError(f"{repository}@{manifest.digest} is not an image")
    try:
        config = json.loads(repository.blob(manifest.blobs[0].digest))
    except (ValueError, RecursionError) as error:
        raise RegistryError(
            f"the configuration of {repository}@{manifest.digest} is not JSON", why=str(error)
        ) from error
    return config if isinstance(config, dict) else {}


def labels_of(repository: Repository, manifest: Manifest) -> Mapping[str, str]:
    """The labels of an image."""
    return _labels(read_config(repository, manifest))


def _labels(config: Mapping[str, Any]) -> Mapping[str, str]:
    inner = config.get("config")
    labels = inner.get("Labels") if isinstance(inner, dict) else None
    return labels if isinstance(labels, dict) else {}


def fits(labels: Mapping[str, str], image: ImagePlan) -> bool:
    """Whether an image was built from what images.yaml says now (its base image apart, which only a build looks at)."""
    if labels.get(LABEL_CELL) != image.id:
        return False
    try:
        inputs = json.loads(labels.get(LABEL_INPUTS, ""))
    except (ValueError, TypeError, RecursionError):
        return False
    if not isinstance(inputs, dict):
        return False
    return {name: value for name, value in inputs.items() if name != "base image"} == image.named_inputs


def plan_of(image: ImagePlan, digest: str, labels: Mapping[str, str]) -> str:
    """The digest of the plan of an image of this cell: in its label, or its own where another pipeline built it."""
    return digest if image.prebuilt else labels.get(LABEL_DIGEST, "")


def newest_fitting(image: ImagePlan, repository: Repository) -> Candidate:
    """The newest candidate that was built from what images.yaml says now.

    Raises:
        GateRefused: there is none.
    """
    seen = 0
    for candidate in candidates(image, repository):
        seen += 1
        if candidate.fits(image):
            return candidate
    raise GateRefused(
        f"{image.id} has no candidate that fits images.yaml",
        why=f"{seen} candidates in {repository} were built from something else" if seen else f"none is in {repository}",
        next_step=f"run `rocmimg build`, `rocmimg test` and `rocmimg push --candidate` for {image.id}",
    )
