"""Retention: old candidates and old dated tags go; what a name that stays points to never does."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, Final, Literal

from rocmimg.errors import RegistryError
from rocmimg.plan import LABEL_CELL, ImagePlan
from rocmimg.registry import parse
from rocmimg.registry.client import Registries, Repository
from rocmimg.release import records
from rocmimg.release.candidates import public_reference, read_config, repository_of, tags_of

_DATED: Final = re.compile(r".*-(\d{4})(\d{2})(\d{2})")
_AT_ONCE: Final = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Removal:
    """One tag that goes."""

    repository: Repository
    tag: str
    digest: str
    reason: str
    image: Literal["removed", "stays"]
    """Whether the image goes with it, or another name or a way back keeps it."""

    def as_json(self) -> dict[str, Any]:
        return {
            "name": f"{self.repository}:{self.tag}",
            "digest": self.digest,
            "reason": self.reason,
            "image": self.image,
        }


def plan_prune(images: Sequence[ImagePlan], registries: Registries, today: date) -> list[Removal]:
    """What the policy (``release`` in images.yaml) removes, repository by repository."""
    repositories: dict[str, tuple[Repository, list[ImagePlan]]] = {}
    for image in images:
        for repository in (repository_of(image, registries), registries.repository(public_reference(image))):
            mine = repositories.setdefault(str(repository), (repository, []))[1]
            if image not in mine:
                mine.append(image)
    return [
        removal for repository, mine in repositories.values() for removal in _of_repository(repository, mine, today)
    ]


def remove(removals: Sequence[Removal]) -> None:
    """Remove them; an image that got a name in the meantime stays.

    Raises:
        RegistryError: the registry does not delete.
    """
    names: dict[str, dict[str, str]] = {}
    for removal in removals:
        repository = removal.repository
        if str(repository) not in names:
            names[str(repository)] = _digests(repository, repository.tags())
        current = names[str(repository)]
        if current.pop(removal.tag, None) != removal.digest:
            continue
        if removal.image == "stays" or removal.digest in current.values():
            repository.untag(removal.tag)
        else:
            repository.delete_with_attachments(removal.digest)


def _of_repository(repository: Repository, images: Sequence[ImagePlan], today: date) -> list[Removal]:
    tags = repository.tags()
    digests = _digests(repository, tags)
    ours = {image.id for image in images}
    aliases = {parse(name).tag for image in images for name in image.cell.aliases}
    needed = {digests[tag] for tag in aliases & digests.keys()} | rollback_digests(repository, images, digests)
    dated = {
        tag: reason
        for tag, reason in _old_dated(tags, images, today).items()
        if digests.get(tag) not in needed and _cell_of(repository, digests[tag]) in ours
    }
    reasons = {**_old_candidates(tags, images), **dated}
    protected = needed | {digest for tag, digest in digests.items() if tag not in reasons}
    removals: list[Removal] = []
    gone: set[str] = set()
    for tag, reason in reasons.items():
        if (digest := digests.get(tag)) is None:
            continue
        stays = digest in protected or digest in gone
        gone.add(digest)
        image: Literal["removed", "stays"] = "stays" if stays else "removed"
        removals.append(Removal(repository=repository, tag=tag, digest=digest, reason=reason, image=image))
    # Where several old tags share an image, the one that removes it comes last.
    return sorted(removals, key=lambda removal: removal.image == "removed")


def _old_candidates(tags: list[str], images: Sequence[ImagePlan]) -> dict[str, str]:
    found = {}
    for image in images:
        keep = image.cell.config.release.keep_candidates
        for tag in tags_of(image.id, tags)[keep:]:
            found[tag] = f"{image.id} has {keep} newer candidates"
    return found


def _old_dated(tags: list[str], images: Sequence[ImagePlan], today: date) -> dict[str, str]:
    days = max(image.cell.config.release.keep_dated_days for image in images)
    found = {}
    for tag in tags:
        if match := _DATED.fullmatch(tag):
            try:
                day = date(*map(int, match.groups()))
            except ValueError:
                continue
            if today - day > timedelta(days=days):
                found[tag] = f"{(today - day).days} days old"
    return found


def _digests(repository: Repository, tags: list[str]) -> dict[str, str]:
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        found = zip(tags, pool.map(repository.digest, tags), strict=True)
    return {tag: digest for tag, digest in found if digest is not None}


def _cell_of(repository: Repository, digest: str) -> str:
    manifest = repository.manifest(digest)
    if manifest is None:
        return ""
    try:
        config = read_config(repository, manifest)
    except (RegistryError, KeyError, IndexError, ValueError):
        return ""  # no image of ours
    labels: Mapping[str, str] = (config.get("config") or {}).get("Labels") or {}
    return labels.get(LABEL_CELL, "")


def rollback_digests(repository: Repository, images: Sequence[ImagePlan], digests: Mapping[str, str]) -> set[str]:
    """What a rollback would need: the images that aliases named before."""
    found: set[str] = set()
    for image in images:
        for name in image.cell.aliases:
            current = digests.get(parse(name).tag)
            if current is not None:
                history = records.promotions(repository, current)
                found |= {record.aliases.get(str(parse(name)), "") for record in history}
    return found
