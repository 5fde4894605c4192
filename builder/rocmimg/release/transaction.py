"""A promotion or rollback as one act: its intent is in the registry before the first name moves.

An intent is an artifact under a tag of its own in every repository whose names move; the copy in the first of them
decides. ``prepared`` has moved nothing and can be dropped; ``started`` is finished, and ``undoing`` undone, by whoever
comes next. Who finds another's intent beside the own one withdraws: registries have no conditional writes, but a tag
that was written is in the list that is read afterwards.
"""

from __future__ import annotations

import contextlib
import json
import time
import uuid
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Final

from rocmimg.errors import GateRefused, RegistryError, RocmimgError
from rocmimg.registry import parse
from rocmimg.registry.client import Registries, Repository
from rocmimg.release import records
from rocmimg.release.intent import (
    INTENT,
    PREDICATE,
    End,
    Intent,
    RecordToAttach,
    State,
    announced,
    discard,
    ended,
    has_moved,
    load,
    overtaken,
    pending,
    require_copies,
)
from rocmimg.release.records import OUTCOME, PROMOTION, ImageRecords
from rocmimg.release.retag import Names
from rocmimg.release.signing import NOBODY, Trust, seal, statement

if TYPE_CHECKING:
    from securesystemslib.signer import Signer


PATIENCE_S: Final = 15.0
"""So long another's intent has to stand still before it is taken over."""
_POLL_S: Final = 1.0
AT_ONCE: Final = 8


class TakenOver(RegistryError):
    """Somebody else finishes or undoes this transaction."""


class Transaction:
    """One intent that this process works on."""

    def __init__(self, registries: Registries, intent: Intent, signer: Signer | None, trust: Trust = NOBODY) -> None:
        self._registries = registries
        self._signer = signer
        self._trust = trust
        self.intent = intent
        self._written = ""
        self._names = Names(registries, intent.updates, self._guard)

    def begin(self) -> None:
        """Announce it.

        Raises:
            RegistryError: another one is under way; this one is withdrawn.
        """
        with ThreadPoolExecutor(AT_ONCE) as pool:
            found = pool.map(lambda one: _promotions_of(one, self._registries), self.intent.images)
            self.intent = replace(self.intent, known=tuple(sorted({digest for some in found for digest in some})))
        for repository in self._repositories():
            self._write(repository, "prepared")
        unfinished = pending(self._repositories(), self._registries, self._trust)
        others = [one for one in unfinished if one.id != self.intent.id]
        if others:
            self._forget()
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
        self._end("finished")

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
            with contextlib.suppress(RegistryError):  # the names are back; whoever comes next sees that and ends it
                self._end("undone")
        return stuck

    def _attach(self, record: RecordToAttach) -> None:
        repository = self._registries.repository(parse(record.repository))
        manifest = repository.manifest(record.digest)
        if manifest is None:
            raise RegistryError(f"{repository}@{record.digest} is gone", next_step="push that candidate again")
        records.attach(repository, manifest.descriptor, records.PROMOTION, record.data.encode())

    def drop(self) -> None:
        """Forget what has moved nothing yet."""
        self._forget()

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
        data = seal(statement(PREDICATE, subjects, content), self._signer)
        digest = repository.put_artifact(self.intent.tag, INTENT, data)
        if str(repository) == self.intent.repositories[0]:
            self._written = digest

    def _end(self, how: End) -> None:
        """Have its end on record, so that no copy of it is carried out again; then forget it."""
        self._guard()
        for name, digest in self.intent.images:
            repository = self._registries.repository(parse(name))
            if manifest := repository.manifest(digest):
                known = ImageRecords(repository, digest, self._trust)
                known.attach(manifest.descriptor, OUTCOME, {"transaction": self.intent.id, "end": how}, self._signer)
                break
        self._forget()

    def _forget(self) -> None:
        """The copy that decides says that it is over; then the tags go, where the registry lets them."""
        self._write(self._first, "finished")
        discard(self.intent, self._registries)


def _promotions_of(image: tuple[str, str], registries: Registries) -> set[str]:
    repository = registries.repository(parse(image[0]))
    return {entry.digest for entry in repository.referrers(image[1]) if entry.artifact_type == PROMOTION}


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
        GateRefused: one is older than what happened to its names since.
    """
    settled: list[Intent] = []
    for intent in announced(repositories, registries, trust):
        left, end = intent, ended(intent, registries, trust)
        if not end:
            say(f"unfinished: {intent}; it is taken over when it stands still for {PATIENCE_S:.0f} s")
            still = _stands_still(intent, registries, trust)
            if still is None:
                continue
            left, end = still, ended(still, registries, trust)
        if end:
            discard(left, registries)
            say(f"removed: it has ended before ({end}), and its intent was still there, or there again: {left}")
            continue
        require_copies(left, registries)
        transaction = Transaction(registries, left, signer, trust)
        if left.state == "prepared" and not has_moved(left, registries):
            transaction.drop()
            say(f"dropped: it had moved nothing: {left}")
            continue
        if why := overtaken(left, registries, trust):
            name = f"{left.repositories[0]}:{left.tag}"
            raise GateRefused(
                f"{name} is older than what happened to these names since, and is not carried out",
                why=f"{why}; somebody may have kept it, and put it back: {left}",
                next_step="see with `rocmimg status` that the names are what they should be, then delete that tag: "
                f"`skopeo delete docker://{name}`",
            )
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
    left = load(first, intent.tag, trust)
    return left if left and left.state != "finished" else None
