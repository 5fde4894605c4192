"""Names of a registry that are set together, or are all put back to what they were."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Any, Literal

from rocmimg.errors import RegistryError, RocmimgError, TagTaken
from rocmimg.registry import Manifest, parse
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
    """The updates of one transaction on their registries; tags come before aliases, those of a kind side by side."""

    def __init__(self, registries: Registries, updates: Sequence[TagUpdate], guard: Callable[[], None]) -> None:
        self.updates = updates
        self._registries = registries
        self._guard = guard

    def repository(self, update: TagUpdate) -> Repository:
        return self._registries.repository(parse(update.repository))

    def apply(self, pool: Executor) -> None:
        """Set every name.

        Raises:
            TagTaken: an immutable tag names another image.
            RegistryError: a name cannot be set, or somebody else has moved it meanwhile.
        """
        manifests = list(pool.map(self._manifest, self.updates))
        for kind in ("tag", "alias"):
            mine = [(one, manifest) for one, manifest in zip(self.updates, manifests, strict=True) if one.kind == kind]
            left = [
                pair for pair, due in zip(mine, pool.map(self._is_due, [one for one, _ in mine]), strict=True) if due
            ]
            self._guard()
            list(pool.map(lambda pair: self.repository(pair[0]).put_manifest(pair[0].tag, pair[1]), left))
            list(pool.map(self._require_set, [one for one, _ in left]))
        list(pool.map(self._require_set, self.updates))

    def undo(self, pool: Executor) -> list[str]:
        """Put back what was set; the names where that did not work."""
        stuck: list[str] = []
        for kind in ("alias", "tag"):
            mine = [one for one in self.updates if one.kind == kind]
            stuck += [str(one) for one, back in zip(mine, pool.map(self._put_back, mine), strict=True) if not back]
        return stuck

    def _manifest(self, update: TagUpdate) -> Manifest:
        repository = self.repository(update)
        manifest = repository.manifest(update.after)
        if manifest is None:
            raise RegistryError(f"{repository}@{update.after} is gone", next_step="push that candidate again")
        return manifest

    def _is_due(self, update: TagUpdate) -> bool:
        found = self.repository(update).digest(update.tag)
        if found == update.after:
            return False
        self._require(update, found, update.before)
        return True

    def _require_set(self, update: TagUpdate) -> None:
        self._require(update, self.repository(update).digest(update.tag), update.after)

    def _put_back(self, update: TagUpdate) -> bool:
        try:
            repository = self.repository(update)
            if repository.digest(update.tag) != update.after:
                return True  # never set, or somebody else's by now
            self._guard()
            if not update.before:
                repository.untag(update.tag)
                return True
            manifest = repository.manifest(update.before)
            if manifest:
                repository.put_manifest(update.tag, manifest)
        except RocmimgError:
            return False
        return manifest is not None

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
