"""Where the sources of a component, or of a package that is read, come from."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Final

_COMMIT: Final = re.compile(r"[0-9a-f]{40}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Git:
    """A commit of a repository, with commits applied or taken back on top of it."""

    repo: str
    """URL or path."""
    ref: str
    """Branch, tag or commit; empty for the repository's HEAD."""
    picks: tuple[str, ...] = ()
    reverts: tuple[str, ...] = ()
    named: str = ""
    """The ref that images.yaml names, where ``ref`` is the commit that the lock has for it."""

    @property
    def commit(self) -> str:
        """``ref`` where it is a whole commit, else empty."""
        return self.ref if _COMMIT.fullmatch(self.ref) else ""

    @property
    def named_ref(self) -> str:
        """The ref as images.yaml names it."""
        return self.named or self.ref

    def __str__(self) -> str:
        return f"{self.repo}@{self.ref}" if self.ref else self.repo


@dataclass(frozen=True, slots=True, kw_only=True)
class Local:
    """A folder of this machine, or an archive."""

    folder: str

    def __str__(self) -> str:
        return self.folder


@dataclass(frozen=True, slots=True)
class Nothing:
    """No sources of its own: packages, or what other components bring."""

    def __str__(self) -> str:
        return "none"


SourceSpec = Git | Local | Nothing


def as_json(source: SourceSpec) -> dict[str, Any]:
    """Flat; what a kind of source does not have is empty."""
    git = source if isinstance(source, Git) else None
    kind = "git" if git else f"local:{source}" if isinstance(source, Local) else "none"
    return {
        "source": kind,
        "repo": git.repo if git else "",
        "ref": git.named_ref if git else "",
        "commit": git.commit if git else "",
        "picks": git.picks if git else (),
        "reverts": git.reverts if git else (),
    }
