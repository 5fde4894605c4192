"""Names of a registry that are set together, or are all put back to what they were."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from rocmimg.errors import RegistryError, RocmimgError, TagTaken
from rocmimg.registry import parse
from rocmimg.registry.client import Registries, Repository


@dataclass(frozen=True, slots=True, kw_only=True)
class TagUpdate:
    """A tag that is to name ``after``; ``before`` is what it names now, empty where it does not exist."""

    repository: str
    tag: str
    kind: Literal["tag", "alias"]
    before: str
    after: str

    def __str__(self) -> str:
        return f"{self.repository}:{self.tag}"

    @classmethod
    def read(cls, data: Any) -> TagUpdate:
        """From the JSON of an intent."""
        return cls(**{name: str(data[name]) for name in cls.__slots__})  # type: ignore[arg-type]


class Names:
    """The updates of one transaction on their registries."""

    def __init__(self, registries: Registries, updates: Sequence[TagUpdate], guard: Callable[[], None]) -> None:
        self.updates = updates
        self._registries = registries
        self._guard = guard

    def repository(self, update: TagUpdate) -> Repository:
        return self._registries.repository(parse(update.repository))

    def apply(self) -> None:
        """Set every name, in this order.

        Raises:
            TagTaken: an immutable tag names another image.
            RegistryError: a name cannot be set, or somebody else has moved it meanwhile.
        """
        for update in self.updates:
            self._set(update)
        for update in self.updates:
            self._require(update, self.repository(update).digest(update.tag), update.after)

    def undo(self) -> list[str]:
        """Put back what was set; the names where that did not work."""
        stuck = []
        for update in reversed(self.updates):
            try:
                repository = self.repository(update)
                if repository.digest(update.tag) != update.after:
                    continue  # never set, or somebody else's by now
                self._guard()
                if not update.before:
                    repository.untag(update.tag)
                elif manifest := repository.manifest(update.before):
                    repository.put_manifest(update.tag, manifest)
                else:
                    stuck.append(str(update))
            except RocmimgError:
                stuck.append(str(update))
        return stuck

    def _set(self, update: TagUpdate) -> None:
        repository = self.repository(update)
        manifest = repository.manifest(update.after)
        if manifest is None:
            raise RegistryError(f"{repository}@{update.after} is gone", next_step="push that candidate again")
        self._guard()
        found = repository.digest(update.tag)
        if found == update.after:
            return
        self._require(update, found, update.before)
        repository.put_manifest(update.tag, manifest)
        self._require(update, repository.digest(update.tag), update.after)

    @staticmethod
    def _require(update: TagUpdate, found: str | None, wanted: str) -> None:
        if (found or "") == wanted:
            return
        if update.kind == "tag":
            raise TagTaken(
                f"{update} is an immutable tag, and somebody else has set it meanwhile",
                why=f"it is {found or 'nothing'}, this release has {update.after}",
                next_step="find out who sets tags without `rocmimg promote`; give this release another `version`",
            )
        raise RegistryError(
            f"{update} was moved by somebody else meanwhile",
            why=f"it names {found or 'nothing'}, not {wanted or 'nothing'}",
            next_step="run `rocmimg status`, then the same command again",
        )
