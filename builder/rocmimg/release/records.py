"""What is attached to an image in the registry, and read back from there."""

from __future__ import annotations

import getpass
import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, Literal

from rocmimg.checks.model import ImageResult, result_from_json
from rocmimg.errors import NotProven, RegistryError
from rocmimg.registry import Manifest
from rocmimg.registry.client import Repository
from rocmimg.registry.types import Descriptor

CHECKS: Final = "application/vnd.rocmimg.checks.v1+json"
PROMOTION: Final = "application/vnd.rocmimg.promotion.v1+json"
PROVENANCE: Final = "application/vnd.in-toto+json"
SPDX: Final = "application/spdx+json"
CYCLONEDX: Final = "application/vnd.cyclonedx+json"
CREATED: Final = "org.opencontainers.image.created"


@dataclass(frozen=True, slots=True, kw_only=True)
class Promotion:
    """One promotion or rollback of one cell, attached to the image that got the names."""

    kind: Literal["promotion", "rollback"]
    cell: str
    version: str
    when: str
    """RFC 3339, UTC."""
    who: str
    tags: tuple[str, ...]
    """Immutable tags that it set."""
    aliases: Mapping[str, str]
    """Alias -> the digest that it pointed to before; empty where it did not exist."""
    tiers: Mapping[str, str] = field(default_factory=dict)
    """Required tier -> what the gate said of it, in words."""
    overrides: Mapping[str, str] = field(default_factory=dict)
    """Tier whose proof was missing -> why it was promoted nevertheless."""

    def as_json(self) -> bytes:
        return json.dumps(asdict(self), indent=2, sort_keys=True).encode()


def now() -> str:
    """The moment, RFC 3339 in UTC with microseconds, so that records sort."""
    return datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def actor() -> str:
    """Who does it: the CI's user and run where there is one."""
    env = os.environ
    for name, run in (
        ("GITHUB_ACTOR", f"{env.get('GITHUB_REPOSITORY', '')}/actions/runs/{env.get('GITHUB_RUN_ID', '')}"),
        ("GITLAB_USER_LOGIN", env.get("CI_JOB_URL", "")),
        ("BUILDKITE_BUILD_CREATOR", env.get("BUILDKITE_BUILD_URL", "")),
    ):
        if who := env.get(name):
            return f"{who} ({run})"
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return f"uid {os.getuid()}"


def attach(repository: Repository, subject: Descriptor, kind: str, data: bytes, *, when: str) -> None:
    """Attach ``data``; the same data twice is attached once."""
    repository.attach(subject, kind, data, annotations={CREATED: when})


def read(repository: Repository, digest: str, kind: str) -> list[dict[str, Any]]:
    """Every attachment of a kind as JSON, oldest first.

    Raises:
        RegistryError: one of them is no JSON object.
    """
    found: list[dict[str, Any]] = []
    mine = [entry for entry in repository.referrers(digest) if entry.artifact_type == kind]
    for entry in sorted(mine, key=lambda entry: entry.annotations.get(CREATED, "")):
        try:
            value = json.loads(repository.attached(entry))
        except ValueError:
            value = None
        if not isinstance(value, dict):
            raise RegistryError(f"{entry.digest}, attached to {repository}@{digest}, is no JSON object")
        found.append(value)
    return found


def check_results(repository: Repository, digest: str) -> list[ImageResult]:
    """All results of checks of an image, oldest first.

    Raises:
        RegistryError: a record cannot be read.
    """
    try:
        return [result_from_json(record) for record in read(repository, digest, CHECKS)]
    except (KeyError, TypeError, AttributeError) as error:
        raise RegistryError(
            f"a result of checks attached to {repository}@{digest} cannot be read",
            why=f"{type(error).__name__}: {error}",
            next_step="run `rocmimg test` and `rocmimg push --results` again with this rocmimg",
        ) from error


def promotions(repository: Repository, digest: str) -> list[Promotion]:
    """All promotions and rollbacks to an image, oldest first."""
    found = []
    for record in read(repository, digest, PROMOTION):
        known = {name: value for name, value in record.items() if name in Promotion.__slots__}
        try:
            found.append(Promotion(**{**known, "tags": tuple(known.get("tags", ()))}))
        except TypeError as error:
            raise RegistryError(f"a record of {repository}@{digest} cannot be read", why=str(error)) from error
    return found


def ids_of(manifest: Manifest) -> set[str]:
    """What engines call the image: its configuration's digest, or the manifest's with the containerd store."""
    return {manifest.digest, *(blob.digest for blob in manifest.blobs[:1]), *(m.digest for m in manifest.children)}


def is_about(result: ImageResult, manifest: Manifest) -> bool:
    """Whether results are about this image."""
    known = ids_of(manifest)
    return result.image_id in known or any(ref.partition("@")[2] in known for ref in result.repo_digests)


def read_result(path: Path, cell_id: str) -> ImageResult:
    """A result file of ``rocmimg test``.

    Raises:
        NotProven: it is missing or broken.
    """
    try:
        result = result_from_json(json.loads(path.read_bytes()))
    except FileNotFoundError:
        raise NotProven(
            f"{cell_id} was not checked here", why=f"there is no {path}", next_step="run `rocmimg test`"
        ) from None
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise NotProven(f"{path} cannot be read", why=str(error), next_step="run `rocmimg test` again") from error
    if result.id != cell_id:
        raise NotProven(f"{path} is about {result.id}", next_step="run `rocmimg test` again")
    return result


def attach_result(result: ImageResult, repository: Repository, manifest: Manifest) -> bool:
    """Attach results to the image that they are about; whether there was anything new."""
    record = result.as_json()
    known = read(repository, manifest.digest, CHECKS)
    data = json.dumps(record, indent=2).encode()
    if any(other == json.loads(data) for other in known):
        return False
    attach(repository, manifest.descriptor, CHECKS, data, when=result.started)
    return True
