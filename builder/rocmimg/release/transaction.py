"""A promotion or rollback as one act: its intent is in the registry before the first name moves.

An intent is an artifact under a tag of its own in every repository whose names move; the copy in the first of them
decides. ``prepared`` has moved nothing and can be dropped; ``started`` is finished, and ``undoing`` undone, by whoever
comes next. Who finds another's intent beside the own one withdraws: registries have no conditional writes, but a tag
that was written is in the list that is read afterwards.
"""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any, Final, Literal

from rocmimg.errors import GateRefused, RegistryError, RocmimgError
from rocmimg.registry import parse
from rocmimg.registry.client import Registries, Repository
from rocmimg.release import records
from rocmimg.release.retag import Names, TagUpdate
from rocmimg.release.signing import Trust, seal, statement, unseal

if TYPE_CHECKING:
    from securesystemslib.signer import Signer

INTENT: Final = "application/vnd.rocmimg.intent.v1+json"
PREFIX: Final = "rocmimg-intent-"
_PREDICATE: Final = "urn:rocmimg:intent:v1"
PATIENCE_S: Final = 15.0
"""So long another's intent has to stand still before it is taken over."""
_POLL_S: Final = 1.0
AT_ONCE: Final = 8

State = Literal["prepared", "started", "undoing", "finished"]
Kind = Literal["promotion", "rollback"]


class TakenOver(RegistryError):
    """Somebody else finishes or undoes this transaction."""


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

    @property
    def tag(self) -> str:
        return f"{PREFIX}{self.id}"

    @property
    def repositories(self) -> tuple[str, ...]:
        """Where a copy lies; the first one decides."""
        return tuple(sorted({update.repository for update in self.updates}))

    def __str__(self) -> str:
        return f"{self.kind} of {', '.join(self.cells)} by {self.who}, begun {self.when[:19]}, {self.state}"

    @classmethod
    def read(cls, data: Mapping[str, Any]) -> Intent:
        """From JSON.

        Raises:
            KeyError, TypeError: it is not one.
        """
        plain = {name: str(data[name]) for name in ("id", "kind", "state", "owner", "who", "when")}
        return cls(
            **plain,  # type: ignore[arg-type]
            cells=tuple(map(str, data["cells"])),
            updates=tuple(map(TagUpdate.read, data["updates"])),
            records=tuple(RecordToAttach(**one) for one in data["records"]),
        )


def new_intent(
    kind: Kind, cells: Sequence[str], updates: Sequence[TagUpdate], records_: Sequence[RecordToAttach]
) -> Intent:
    """A fresh one."""
    return Intent(
        id=uuid.uuid4().hex,
        kind=kind,
        state="prepared",
        owner=uuid.uuid4().hex,
        who=records.actor(),
        when=records.now(),
        cells=tuple(cells),
        updates=tuple(updates),
        records=tuple(records_),
    )


class Transaction:
    """One intent that this process works on."""

    def __init__(self, registries: Registries, intent: Intent, signer: Signer | None) -> None:
        self._registries = registries
        self._signer = signer
        self.intent = intent
        self._written = ""
        self._names = Names(registries, intent.updates, self._guard)

    def begin(self, trust: Trust) -> None:
        """Announce it.

        Raises:
            RegistryError: another one is under way; this one is withdrawn.
        """
        for repository in self._repositories():
            self._write(repository, "prepared")
        others = [one for one in pending(self._repositories(), self._registries, trust) if one.id != self.intent.id]
        if others:
            self._finish()
            raise RegistryError(
                f"another {others[0].kind} is under way, so this one did nothing",
                why=str(others[0]),
                next_step="run the same command again: it waits for that one, or finishes it",
            )

    def take_over(self) -> None:
        """Go on with what somebody else began."""
        self.intent = replace(self.intent, owner=uuid.uuid4().hex)
        self._write(self._first, self.intent.state)

    def run(self) -> None:
        """Attach the records, set the names, and check all of them; or put every name back.

        Raises:
            TakenOver: somebody else took it over.
            RegistryError: something could not be written; the message says what the names are now.
        """
        try:
            self._guard()
            self._write(self._first, "started")
            with ThreadPoolExecutor(AT_ONCE) as pool:
                list(pool.map(self._attach, self.intent.records))
                self._names.apply(pool)
        except TakenOver:
            raise
        except BaseException as error:
            stuck = self.undo()
            if not isinstance(error, RocmimgError):
                raise
            state = f"these could not be put back: {', '.join(stuck)}" if stuck else "every name is what it was"
            raise type(error)(
                error.what,
                why="; ".join(filter(None, (error.why, state))),
                next_step="run the same command again, which puts them back first" if stuck else error.next_step,
            ) from error
        self._finish()

    def undo(self) -> list[str]:
        """Put every name back; those where that did not work, in which case the intent stays."""
        try:
            self._guard()
            self._write(self._first, "undoing")
        except RocmimgError:
            return [str(update) for update in self.intent.updates]
        with ThreadPoolExecutor(AT_ONCE) as pool:
            stuck = self._names.undo(pool)
        if not stuck:
            self._finish()
        return stuck

    def _attach(self, record: RecordToAttach) -> None:
        repository = self._registries.repository(parse(record.repository))
        manifest = repository.manifest(record.digest)
        if manifest is None:
            raise RegistryError(f"{repository}@{record.digest} is gone", next_step="push that candidate again")
        records.attach(repository, manifest.descriptor, records.PROMOTION, record.data.encode())

    def drop(self) -> None:
        """Forget what has moved nothing yet."""
        self._finish()

    @property
    def _first(self) -> Repository:
        return self._registries.repository(parse(self.intent.repositories[0]))

    def _repositories(self) -> list[Repository]:
        return [self._registries.repository(parse(name)) for name in self.intent.repositories]

    def _guard(self) -> None:
        if self._first.digest(self.intent.tag) != self._written:
            raise TakenOver(
                f"another process took over this {self.intent.kind}",
                why="this one stood still for too long",
                next_step="run `rocmimg status`, then the same command again",
            )

    def _write(self, repository: Repository, state: State) -> None:
        self.intent = replace(self.intent, state=state)
        subjects = {str(update): update.after for update in self.intent.updates}
        content = json.loads(json.dumps(asdict(self.intent)))
        data = seal(statement(_PREDICATE, subjects, content), self._signer)
        digest = repository.put_artifact(self.intent.tag, INTENT, data)
        if str(repository) == self.intent.repositories[0]:
            self._written = digest

    def _finish(self) -> None:
        """The copy that decides says so; then the tags go, where the registry lets them."""
        self._write(self._first, "finished")
        for repository in self._repositories():
            _discard(repository, self.intent.tag)


def _discard(repository: Repository, tag: str) -> None:
    try:
        if digest := repository.digest(tag):
            repository.delete(digest)
    except RegistryError:
        pass  # without the right to delete, or on a registry that never deletes, a finished intent stays and says so


def pending(repositories: Iterable[Repository], registries: Registries, trust: Trust) -> list[Intent]:
    """Unfinished transactions that move names of these repositories.

    Raises:
        GateRefused: something under an intent's tag is not one, or is signed by nobody we know.
    """
    found: dict[str, Intent] = {}
    for repository in {str(one): one for one in repositories}.values():
        for tag in repository.tags():
            if tag.startswith(PREFIX) and tag not in found and (intent := _load(repository, tag, trust)):
                first = registries.repository(parse(intent.repositories[0]))
                if str(first) != str(repository):
                    # A copy: the first repository's says how far it is, and where that is gone it is finished.
                    intent = _load(first, tag, trust)
                if intent and intent.state != "finished":
                    found[tag] = intent
    return list(found.values())


def _load(repository: Repository, tag: str, trust: Trust) -> Intent | None:
    data = repository.artifact(tag, INTENT)
    if data is None:
        return None
    opened = unseal(data, trust)
    if opened is None or not opened.believed or opened.statement.get("predicateType") != _PREDICATE:
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
    except (KeyError, TypeError) as error:
        raise GateRefused(
            f"{repository}:{tag} is not an intent", why=str(error), next_step="delete that tag"
        ) from error
    return intent


def settle(
    repositories: Sequence[Repository],
    registries: Registries,
    signer: Signer | None,
    trust: Trust,
    say: Callable[[str], None],
    *,
    undo_promotions: bool = False,
) -> list[Intent]:
    """Finish or undo what others left unfinished, after it stood still for a while; what was settled.

    Raises:
        RegistryError: that does not work; nothing of our own was done.
    """
    settled: list[Intent] = []
    for intent in pending(repositories, registries, trust):
        say(f"unfinished: {intent}; it is taken over when it stands still for {PATIENCE_S:.0f} s")
        if not (left := _stands_still(intent, registries, trust)):
            continue
        transaction = Transaction(registries, left, signer)
        if left.state == "prepared":
            transaction.drop()
            say(f"dropped: it had moved nothing: {left}")
            continue
        transaction.take_over()
        if left.state == "undoing" or (undo_promotions and left.kind == "promotion"):
            if stuck := transaction.undo():
                raise RegistryError(
                    f"the unfinished {left.kind} cannot be undone",
                    why=f"these could not be put back: {', '.join(stuck)}",
                )
            say(f"undone: {left}")
        else:
            transaction.run()
            say(f"finished: {left}")
        settled.append(left)
    return settled


def _stands_still(intent: Intent, registries: Registries, trust: Trust) -> Intent | None:
    """The intent as it is when nothing moved for a while; None when its owner finished it."""
    first = registries.repository(parse(intent.repositories[0]))

    def look() -> tuple[str | None, ...]:
        names = (registries.repository(parse(one.repository)).digest(one.tag) for one in intent.updates)
        return (first.digest(intent.tag), *names)

    seen, since = look(), time.monotonic()
    while seen[0] is not None and time.monotonic() - since < PATIENCE_S:
        time.sleep(min(_POLL_S, PATIENCE_S))
        now = look()
        if now != seen:
            seen, since = now, time.monotonic()
    left = _load(first, intent.tag, trust)
    return left if left and left.state != "finished" else None
