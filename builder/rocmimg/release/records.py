"""What is attached to an image in the registry, and read back from there."""

from __future__ import annotations

import getpass
import json
import os
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

from rocmimg.checks.model import ImageResult, result_from_json
from rocmimg.errors import NotProven, RegistryError
from rocmimg.frozen import read_as
from rocmimg.registry import Manifest
from rocmimg.registry.client import Repository
from rocmimg.registry.types import Descriptor
from rocmimg.release.signing import NOBODY, Trust, seal, statement, unseal

if TYPE_CHECKING:
    from securesystemslib.signer import Signer

CHECKS: Final = "application/vnd.rocmimg.checks.v2+json"
PROMOTION: Final = "application/vnd.rocmimg.promotion.v2+json"
OUTCOME: Final = "application/vnd.rocmimg.outcome.v1+json"
PROVENANCE: Final = "application/vnd.in-toto+json"
SPDX: Final = "application/spdx+json"
CYCLONEDX: Final = "application/vnd.cyclonedx+json"
PREDICATES: Final[Mapping[str, str]] = {
    CHECKS: "urn:rocmimg:checks:v2",
    PROMOTION: "urn:rocmimg:promotion:v2",
    OUTCOME: "urn:rocmimg:outcome:v1",
    PROVENANCE: "https://slsa.dev/provenance/v1",
}


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
    requires: tuple[str, ...] = ()
    """Tiers that were required."""
    results: tuple[str, ...] = ()
    """Attached results that the gate counted."""
    transaction: str = ""
    """The id of the intent that it was part of."""

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One believed statement that is attached to an image."""

    digest: str
    """Of the attachment."""
    after: frozenset[str]
    """Attachments of the same kind that were there when it was made: what "later" means, whatever clocks say."""
    predicate: Mapping[str, Any]
    signers: tuple[str, ...]


class ImageRecords:
    """What is attached to one image, as far as it is believed; listed once."""

    def __init__(self, repository: Repository, digest: str, trust: Trust = NOBODY) -> None:
        self.repository = repository
        self.digest = digest
        self.trust = trust
        self._entries: tuple[Descriptor, ...] | None = None
        self._read: dict[str, list[Record]] = {}
        self.ignored: dict[str, Counter[str]] = {}
        """Kind of attachment -> why how many of them are not believed."""

    @property
    def entries(self) -> tuple[Descriptor, ...]:
        # Not functools.cached_property: before Python 3.12 it lets one thread of all at a time.
        if self._entries is None:
            self._entries = tuple(self.repository.referrers(self.digest))
        return self._entries

    def of(self, kind: str) -> list[Record]:
        """Believed statements of a kind, each after those that were there before it.

        Raises:
            RegistryError: one cannot be read. Where signatures are wanted, such a thing is ignored like any other that
                nobody signed.
        """
        if kind in self._read:
            return self._read[kind]
        found: list[Record] = []
        ignored = self.ignored[kind] = Counter()
        for entry in self.entries:
            if entry.artifact_type != kind:
                continue
            opened = unseal(self.repository.attached(entry), self.trust)
            if opened is None and not self.trust and kind != PROVENANCE:
                raise RegistryError(
                    f"{entry.digest}, attached to {self.repository}@{self.digest}, cannot be read",
                    why=f"it is not a statement of kind {PREDICATES[kind]}",
                    next_step="find out who attached it, and remove it from the registry",
                )
            if opened is None or not opened.believed:
                ignored["signed by nobody we know"] += 1
            elif not opened.is_about(self.digest):
                ignored["about another image"] += 1
            elif opened.statement.get("predicateType") == PREDICATES[kind]:
                after = opened.predicate.get("after")
                known = frozenset(map(str, after)) if isinstance(after, list) else frozenset()
                found.append(
                    Record(digest=entry.digest, after=known, predicate=opened.predicate, signers=opened.signers)
                )
        self._read[kind] = sorted(found, key=lambda record: len(record.after))
        return self._read[kind]

    def not_believed(self, kind: str) -> list[str]:
        """In words, what :meth:`of` left out."""
        return [f"{count} attached, {why}" for why, count in self.ignored.get(kind, Counter()).items()]

    def lost(self, kind: str, found: Sequence[Record | Checked]) -> set[str]:
        """Attachments that were there when later ones were made, and are there no more."""
        there = {entry.digest for entry in self.entries if entry.artifact_type == kind}
        return {digest for record in found for digest in record.after} - there

    def sealed(self, kind: str, predicate: Mapping[str, Any], signer: Signer | None) -> bytes:
        """A statement about this image that names those of its kind that are there now."""
        content = {**predicate, "after": [record.digest for record in self.of(kind)]}
        return seal(statement(PREDICATES[kind], {str(self.repository): self.digest}, content), signer)

    def attach(self, subject: Descriptor, kind: str, predicate: Mapping[str, Any], signer: Signer | None) -> None:
        """Attach such a statement."""
        attach(self.repository, subject, kind, self.sealed(kind, predicate, signer))
        self._read.clear()
        self._entries = None


def attach(repository: Repository, subject: Descriptor, kind: str, data: bytes) -> None:
    """Attach ``data``; the same data twice is attached once."""
    repository.attach(subject, kind, data, annotations={})


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """One attached result of checks."""

    digest: str
    after: frozenset[str]
    result: ImageResult
    signers: tuple[str, ...] = ()


def check_results(records: ImageRecords) -> list[Checked]:
    """All believed results of checks of an image.

    Raises:
        RegistryError: a record cannot be read.
    """
    try:
        return [
            Checked(
                digest=record.digest,
                after=record.after,
                result=result_from_json(record.predicate["result"]),
                signers=record.signers,
            )
            for record in records.of(CHECKS)
        ]
    except (KeyError, ValueError) as error:
        raise RegistryError(
            f"a result of checks attached to {records.repository}@{records.digest} cannot be read",
            why=f"{type(error).__name__}: {error}",
            next_step="run `rocmimg test` and `rocmimg push --results` again with this rocmimg",
        ) from error


def promotions(records: ImageRecords) -> list[Promotion]:
    """All believed promotions and rollbacks to an image, oldest first.

    Raises:
        RegistryError: one cannot be read.
    """
    return [promotion_of(record) for record in records.of(PROMOTION)]


def promotion_of(record: Record) -> Promotion:
    """What a record of a promotion says.

    Raises:
        RegistryError: it cannot be read.
    """
    try:
        said = read_as(Promotion, record.predicate)
        if datetime.fromisoformat(said.when).tzinfo is None:
            raise ValueError(f"when: {said.when!r} has no time zone")
    except ValueError as error:
        raise RegistryError(
            f"{record.digest}, a record of a promotion, cannot be read",
            why=str(error),
            next_step="find out who attached it, and remove it from the registry",
        ) from error
    return said


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


def attach_result(result: ImageResult, records: ImageRecords, manifest: Manifest, signer: Signer | None) -> bool:
    """Attach results to the image that they are about; whether there was anything new."""
    record = json.loads(json.dumps(result.as_json()))
    if any(other.predicate.get("result") == record for other in records.of(CHECKS)):
        return False
    records.attach(manifest.descriptor, CHECKS, {"result": record}, signer)
    return True
