"""An intent: what a promotion or rollback is about to do, in the registry before it does it, and read back from there.

Whoever may push can keep the bytes of an intent, signature and all, and put them back later. So each intent names the
records of promotions that its images had when it began, its end is recorded at an image before its tag goes, and
nothing that has ended, or that something else came after, is carried out.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, get_args

from rocmimg.errors import GateRefused, RegistryError
from rocmimg.registry import parse
from rocmimg.registry.client import Registries, Repository
from rocmimg.release import records
from rocmimg.release.records import OUTCOME, PROMOTION, ImageRecords
from rocmimg.release.retag import TagUpdate
from rocmimg.release.signing import Trust, unseal

INTENT: Final = "application/vnd.rocmimg.intent.v1+json"
PREFIX: Final = "rocmimg-intent-"
PREDICATE: Final = "urn:rocmimg:intent:v1"
State = Literal["prepared", "started", "undoing", "finished"]
Kind = Literal["promotion", "rollback"]
End = Literal["finished", "undone"]


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordToAttach:
    """A record of the promotion, signed already: whoever finishes it attaches the same bytes."""

    repository: str
    digest: str
    data: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Intent:
    """What is to be done, whole: enough for anybody to finish or undo it."""

    id: str
    kind: Kind
    state: State
    owner: str
    """Of the process that works on it; whoever takes it over writes another name."""
    who: str
    when: str
    cells: tuple[str, ...]
    updates: tuple[TagUpdate, ...]
    records: tuple[RecordToAttach, ...]
    known: tuple[str, ...] = ()
    """Records of promotions that its images had when it was announced: any other one is newer than it."""

    @property
    def tag(self) -> str:
        return f"{PREFIX}{self.id}"

    @property
    def repositories(self) -> tuple[str, ...]:
        """Where a copy lies; the first one decides."""
        return tuple(sorted({update.repository for update in self.updates}))

    @property
    def images(self) -> tuple[tuple[str, str], ...]:
        """Repository and digest of all that its names leave and reach."""
        found = [(one.repository, digest) for one in self.updates for digest in (one.after, one.before) if digest]
        return tuple(dict.fromkeys(found))

    def __str__(self) -> str:
        return f"{self.kind} of {', '.join(self.cells)} by {self.who}, begun {self.when[:19]}, {self.state}"

    @classmethod
    def read(cls, data: Mapping[str, Any]) -> Intent:
        """From JSON.

        Raises:
            KeyError, TypeError: it is not one.
        """
        plain = {name: str(data[name]) for name in ("id", "kind", "state", "owner", "who", "when")}
        if plain["kind"] not in get_args(Kind) or plain["state"] not in get_args(State):
            raise KeyError(f"{plain['kind']}, {plain['state']}")
        return cls(
            **plain,  # type: ignore[arg-type]
            cells=tuple(map(str, data["cells"])),
            updates=tuple(map(TagUpdate.read, data["updates"])),
            records=tuple(RecordToAttach(**one) for one in data["records"]),
            known=tuple(map(str, data.get("known", ()))),
        )


def new_id() -> str:
    """Of a transaction, which its records name."""
    return uuid.uuid4().hex


def new_intent(
    kind: Kind,
    cells: Sequence[str],
    updates: Sequence[TagUpdate],
    records_: Sequence[RecordToAttach],
    transaction: str = "",
) -> Intent:
    """A fresh one."""
    return Intent(
        id=transaction or new_id(),
        kind=kind,
        state="prepared",
        owner=uuid.uuid4().hex,
        who=records.actor(),
        when=records.now(),
        cells=tuple(cells),
        updates=tuple(updates),
        records=tuple(records_),
    )


def discard(intent: Intent, registries: Registries) -> None:
    """Remove the tags of an intent; not what somebody else has put under them."""
    for name in intent.repositories:
        repository = registries.repository(parse(name))
        try:
            manifest = repository.manifest(intent.tag)
            if manifest and manifest.data.get("artifactType") == INTENT:
                repository.delete(manifest.digest)
        except RegistryError:  # no right to delete, or a registry that never does: it stays, and says that it is over
            pass


def ended(intent: Intent, registries: Registries, trust: Trust) -> str:
    """How a transaction ended, as its images say; empty where it did not."""
    for name, digest in intent.images:
        for record in ImageRecords(registries.repository(parse(name)), digest, trust).of(OUTCOME):
            if record.predicate.get("transaction") == intent.id:
                return str(record.predicate.get("end"))
    return ""


def overtaken(intent: Intent, registries: Registries, trust: Trust) -> str:
    """What happened to names of an intent after it was announced, as their images say; empty where nothing did."""
    mine = {str(update) for update in intent.updates}
    for name, digest in intent.images:
        for record in ImageRecords(registries.repository(parse(name)), digest, trust).of(PROMOTION):
            one = records.promotion_of(record)
            if record.digest in intent.known or one.transaction == intent.id:
                continue
            if names := mine & {*one.tags, *one.aliases}:
                return f"a {one.kind} of {', '.join(sorted(names))} by {one.who}, {one.when[:19]}, is not known to it"
    return ""


def require_copies(intent: Intent, registries: Registries) -> None:
    """Raise GateRefused where a repository whose names it moves has no copy: who wrote it may not write there."""
    if intent.state == "prepared":
        return  # its copies may be on their way
    for name in intent.repositories:
        manifest = registries.repository(parse(name)).manifest(intent.tag)
        if manifest is None or manifest.data.get("artifactType") != INTENT:
            raise GateRefused(
                f"{intent.repositories[0]}:{intent.tag} moves names of {name}, which does not have it",
                why=f"whoever wrote it may not be allowed to write there: {intent}",
                next_step="find out who wrote it; when no promotion is under way, delete that tag",
            )


def has_moved(intent: Intent, registries: Registries) -> bool:
    """Whether any of its names is where it wants it."""
    return any(registries.repository(parse(one.repository)).digest(one.tag) == one.after for one in intent.updates)


def pending(repositories: Iterable[Repository], registries: Registries, trust: Trust) -> list[Intent]:
    """Unfinished transactions that move names of these repositories.

    Raises:
        GateRefused: something under an intent's tag is not one, or is signed by nobody we know.
    """
    return [one for one in announced(repositories, registries, trust) if not ended(one, registries, trust)]


def announced(repositories: Iterable[Repository], registries: Registries, trust: Trust) -> list[Intent]:
    """Those that do not say of themselves that they are finished.

    Raises:
        GateRefused: something under an intent's tag is not one, or is signed by nobody we know.
    """
    found: dict[str, Intent] = {}
    for repository in {str(one): one for one in repositories}.values():
        for tag in repository.tags():
            if tag.startswith(PREFIX) and tag not in found and (intent := load(repository, tag, trust)):
                first = registries.repository(parse(intent.repositories[0]))
                if str(first) != str(repository):
                    # A copy: the first repository's says how far it is, and where that is gone it is finished.
                    intent = load(first, tag, trust)
                if intent and intent.state != "finished":
                    found[tag] = intent
    return list(found.values())


def load(repository: Repository, tag: str, trust: Trust) -> Intent | None:
    data = repository.artifact(tag, INTENT)
    if data is None:
        return None
    opened = unseal(data, trust)
    if opened is None or not opened.believed or opened.statement.get("predicateType") != PREDICATE:
        why = "it is signed by nobody in release.signers" if opened else "it cannot be read"
        raise GateRefused(
            f"{repository}:{tag} says that a promotion is unfinished, and is not believed",
            why=why,
            next_step="find out who wrote it; when no promotion is under way, delete that tag",
        )
    try:
        intent = Intent.read(opened.predicate)
        if intent.tag != tag or not intent.updates:
            raise KeyError("id")
        if strange := {record.repository for record in intent.records} - {*intent.repositories}:
            raise KeyError(f"records for {', '.join(strange)}")
    except (KeyError, TypeError) as error:
        raise GateRefused(
            f"{repository}:{tag} is not an intent", why=str(error), next_step="delete that tag"
        ) from error
    return intent
