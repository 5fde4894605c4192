"""Retention: old candidates and old dated tags go; what a name that stays points to never does."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final, Literal

from rocmimg.errors import RegistryError
from rocmimg.plan import LABEL_CELL, ImagePlan
from rocmimg.registry import parse
from rocmimg.registry.client import Repository
from rocmimg.release import records
from rocmimg.release.candidates import labels_of, public_reference, repository_of, tags_of
from rocmimg.release.intent import pending
from rocmimg.release.promote import Release
from rocmimg.release.records import ImageRecords

_DATED: Final = re.compile(r".*-(\d{4})(\d{2})(\d{2})(?:-.*)?")
_AT_ONCE: Final = 16
_FRESH: Final = timedelta(hours=1)


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


def plan_prune(release: Release, today: date) -> list[Removal]:
    """What the policy (``release`` in images.yaml) removes, repository by repository."""
    return [
        removal
        for repository, mine in _repositories(release).values()
        for removal in _of_repository(repository, mine, release, today)
    ]


def remove(release: Release, removals: Sequence[Removal]) -> list[Removal]:
    """Remove them, and look at every name again before each; what was removed.

    What got another name in the meantime loses only this one. What an unfinished promotion, or one of the last hour,
    names stays as it is.

    Raises:
        RegistryError: the registry does not delete.
    """
    done = []
    repositories = _repositories(release)
    for removal in removals:
        repository, images = repositories[str(removal.repository)]
        names = _digests(repository, repository.tags())
        if names.pop(removal.tag, None) != removal.digest or _in_transaction(repository, removal.digest, release):
            continue
        named = {*names.values(), *rollback_digests(repository, images, release, names)}
        if removal.image == "stays" or removal.digest in named:
            repository.untag(removal.tag)
        elif _just_promoted(repository, removal.digest, release):
            continue
        else:
            public = {digest for tag, digest in names.items() if not tag.startswith("sha256-")}
            repository.delete_with_attachments(removal.digest, public | named - set(names.values()))
        done.append(removal)
    return done


def _in_transaction(repository: Repository, digest: str, release: Release) -> bool:
    unfinished = pending([repository], release.registries, release.trust)
    return any(digest in (update.before, update.after) for intent in unfinished for update in intent.updates)


def _just_promoted(repository: Repository, digest: str, release: Release) -> bool:
    history = records.promotions(ImageRecords(repository, digest, release.trust))
    return any(abs(datetime.now(UTC) - datetime.fromisoformat(one.when)) < _FRESH for one in history)


def _repositories(release: Release) -> dict[str, tuple[Repository, list[ImagePlan]]]:
    found: dict[str, tuple[Repository, list[ImagePlan]]] = {}
    for image in release.images:
        for repository in (
            repository_of(image, release.registries),
            release.registries.repository(public_reference(image)),
        ):
            mine = found.setdefault(str(repository), (repository, []))[1]
            if image not in mine:
                mine.append(image)
    return found


def _of_repository(repository: Repository, images: Sequence[ImagePlan], release: Release, today: date) -> list[Removal]:
    tags = repository.tags()
    digests = _digests(repository, tags)
    ours = {image.id for image in images}
    aliases = {parse(name).tag for image in images for name in image.cell.aliases}
    needed = {digests[tag] for tag in aliases & digests.keys()} | rollback_digests(repository, images, release, digests)
    needed |= {image.pinned_digest for image in images if image.prebuilt}
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
    try:
        return labels_of(repository, manifest).get(LABEL_CELL, "") if manifest else ""
    except RegistryError:
        return ""  # not an image of ours


def rollback_digests(
    repository: Repository, images: Sequence[ImagePlan], release: Release, digests: Mapping[str, str]
) -> set[str]:
    """What a rollback would need: the images that aliases named before."""
    found: set[str] = set()
    for image in images:
        for name in image.cell.aliases:
            current = digests.get(parse(name).tag)
            if current is not None:
                history = records.promotions(ImageRecords(repository, current, release.policies[image.id].trust))
                found |= {record.aliases.get(str(parse(name)), "") for record in history}
    return found
