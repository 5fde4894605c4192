"""Cache mounts of builds, as BuildKit lists them among its own records."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from rocmimg.engine.api import explained

if TYPE_CHECKING:
    from rocmimg.engine.api import Api

# Docker 20.10 tells where a mount was, and not what it is called; the folder is ours.
_OURS: Final = re.compile(r"cached mount /run/rocmimg/(\S+) ")


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheMount:
    """One cache that steps of builds here write to."""

    id: str
    """The engine's id of it."""
    kind: str
    """``git``, ``pip``, ``wheels``, ``apt``, ``ccache`` or ``sccache``."""
    size: int
    """Bytes."""
    used: str
    """When a step last had it, RFC 3339; empty for never."""
    in_use: bool

    def as_json(self) -> dict[str, Any]:
        """One element of ``prune --local --caches --json``."""
        return {"cache": self.kind, "id": self.id, "size": self.size, "used": self.used}


def listed(api: Api) -> list[CacheMount]:
    """The caches of an engine, those that were not used for longest first. Podman lists none.

    Raises:
        EngineError: the engine does not answer.
    """
    with explained("the engine does not list its caches"):
        said = api.client.df()
    found = [
        CacheMount(
            id=str(one["ID"]),
            kind=ours[1].rpartition("/")[2],
            size=int(one.get("Size", 0)),
            used=str(one.get("LastUsedAt") or ""),
            in_use=bool(one.get("InUse")),
        )
        for one in said.get("BuildCache") or ()
        if one.get("Type") == "exec.cachemount" and (ours := _OURS.match(str(one.get("Description", ""))))
    ]
    return sorted(found, key=lambda one: one.used)


def remove(api: Api, mounts: Iterable[CacheMount]) -> None:
    """Remove caches that no build uses now.

    Raises:
        EngineError: the engine does not answer.
    """
    for mount in mounts:
        with explained(f"the engine does not remove the cache {mount.kind}"):
            filters = json.dumps({"id": [mount.id]})
            answer = api.client.post(api.url("/build/prune"), params={"all": "1", "filters": filters}, timeout=600)
            answer.raise_for_status()


def beyond(mounts: Iterable[CacheMount], limit: int) -> list[CacheMount]:
    """Of ``mounts``, longest unused first, those that have to go until the rest takes ``limit`` bytes."""
    mounts = list(mounts)
    total, gone = sum(one.size for one in mounts), []
    for one in mounts:
        if total <= limit:
            break
        if not one.in_use and one.size:
            gone.append(one)
            total -= one.size
    return gone
