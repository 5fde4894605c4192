"""The same readers on the host: an image's files as the engine exports them. Not a part of what runs inside."""

from __future__ import annotations

import posixpath
import time
from typing import Any, Iterable, Mapping

from . import FORMAT, distributions, files, packages
from .distributions import Distributions
from .entry import Entry, user
from .files import Walk
from .tree import Exported

_PACKAGES = ("site-packages", "dist-packages")


def keeps(path: str) -> bool:
    """Whether a file is read again when all have come by."""
    return files.keeps(path) or packages.keeps(path) or distributions.keeps(path)


def answer(members: Iterable[Any], job: Mapping[str, Any], env: Mapping[str, str]) -> dict[str, Any]:
    """What needs no running Python, of the tar members of a whole file system."""
    began = time.monotonic()
    tree = Exported(members, keeps)
    walk = Walk(tree, {**job, "site": None, "env": env})
    entry = Entry(tree, job["argv"], env, job["workdir"], user(tree, job["user"]))
    folders = [path for path in tree.folders() if posixpath.basename(path) in _PACKAGES]
    found = Distributions(tree, sorted(folders))
    return {
        "probe": {"format": FORMAT, "where": "export", "python": "", "version": ""},
        "files": walk.result(),
        "entry": {**entry.facts(), "missing": entry.missing(walk.loader), "import": None},
        "git": {},
        "distributions": found.found,
        "broken_metadata": found.broken,
        "seconds": {"files": round(time.monotonic() - began, 3)},
    }
