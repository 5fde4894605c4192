"""Which releases of a source have something: a window of tags, because names come and also go."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from packaging.version import InvalidVersion, Version

from rocmimg.contract.cache import ParseCache
from rocmimg.contract.git import GitRepository
from rocmimg.contract.model import ModuleFacts
from rocmimg.contract.rules import Rules, Switches
from rocmimg.contract.source import SourcePackage, Status
from rocmimg.contract.stores import GitStore, walk
from rocmimg.errors import SourceError

_RELEASE: Final = re.compile(r"v?(\d.*)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """Answers of all release tags, oldest first."""

    answers: tuple[tuple[str, Status], ...]

    @property
    def having(self) -> tuple[str, ...]:
        """Tags that have it."""
        return tuple(tag for tag, status in self.answers if status == "resolved")

    def spans(self) -> list[tuple[str, str]]:
        """(first, last) of each unbroken run of tags that have it."""
        runs: list[tuple[str, str]] = []
        before = False
        for tag, status in self.answers:
            if status == "resolved":
                runs[-1:] = [(runs[-1][0], tag)] if before else [*runs[-1:], (tag, tag)]
            before = status == "resolved"
        return runs

    def __str__(self) -> str:
        if not self.answers:
            return "the source has no release tags"
        newest = self.answers[-1][0]
        shown = [
            f"from {first} on" if last == newest else first if first == last else f"{first} to {last}"
            for first, last in self.spans()
        ]
        unclear = sum(status == "unknown" for _, status in self.answers)
        text = f"{', '.join(shown)} ({len(self.having)} of {len(self.answers)} tags)" if shown else (
            f"none of {len(self.answers)} tags, newest {newest}"
        )  # fmt: skip
        return f"{text}, unclear in {unclear}" if unclear else text


class History:
    """The releases of a repository, each read on demand."""

    def __init__(
        self, repository: GitRepository, rules: Rules, cache: ParseCache[ModuleFacts], switches: Switches = ()
    ) -> None:
        self._switches = switches
        self.repository = repository
        self._rules = rules
        self._cache = cache
        self._sources: dict[str, SourcePackage | None] = {}
        releases = [(version, tag) for tag in repository.tags() if (version := _version(tag)) is not None]
        self.tags = [tag for _, tag in sorted(releases)]
        self._fetched = False

    def source(self, tag: str) -> SourcePackage | None:
        """The package at a tag; None where that tag does not have it."""
        if tag not in self._sources:
            commit = self.repository.resolve(tag)
            store = GitStore(self.repository, commit, f"{self.repository.name}@{tag}")
            try:
                self._sources[tag] = SourcePackage(store, self._rules, self._cache, self._switches)
            except SourceError:
                self._sources[tag] = None
        return self._sources[tag]

    def window(self, ask: Callable[[SourcePackage], Status]) -> Window:
        """Ask all releases the same question."""
        self._prefetch()
        answers: list[tuple[str, Status]] = []
        for tag in self.tags:
            source = self.source(tag)
            answers.append((tag, ask(source) if source is not None else "missing-module"))
        return Window(answers=tuple(answers))

    def _prefetch(self) -> None:
        """Of a partial clone: fetch the files of all releases in one request instead of one per release."""
        if self._fetched or not self.repository.partial:
            return
        self._fetched = True
        commits = self.repository.tags()
        ids: set[str] = set()
        for tag in self.tags:
            store = GitStore(self.repository, commits[tag], tag)
            name = self._rules.package.replace(".", "/")
            for root in self._rules.roots:
                ids.update(key for _, key in walk(store, f"{root}/{name}" if root else name, (".py",)))
        label = hashlib.sha256("\n".join(f"{tag} {commits[tag]}" for tag in self.tags).encode()).hexdigest()
        self.repository.prefetch(ids, f"releases-{label[:16]}")


def _version(tag: str) -> Version | None:
    """The version that a tag names; None for release candidates and for tags that are not releases."""
    match = _RELEASE.fullmatch(tag)
    try:
        version = Version(match[1]) if match else None
    except InvalidVersion:
        return None
    return None if version is None or version.is_prerelease else version
