"""Progress of pulls and pushes."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from rocmimg.engine.events import Event, Transfer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

_DIGEST: Final = re.compile(r"digest: (sha256:[0-9a-f]{64})")


def follow(lines: Iterable[Mapping[str, Any]], on_event: Callable[[Event], None]) -> tuple[str, str]:
    """Report each line; the engine's error ("" for none) and the digest that a push ends with ("" for none)."""
    error = digest = ""
    for line in lines:
        if "error" in line:
            error = str((line.get("errorDetail") or {}).get("message") or line["error"])
        if isinstance(aux := line.get("aux"), dict):
            digest = str(aux.get("Digest", digest))
        if "status" in line:
            # The containerd store and podman say it in words only.
            if said := _DIGEST.search(str(line["status"])):
                digest = said[1]
            progress = line.get("progressDetail") or {}
            on_event(
                Transfer(
                    id=str(line.get("id", "")),
                    what=str(line["status"]),
                    current=int(progress.get("current", 0)),
                    total=int(progress.get("total", 0)),
                )
            )
    return error, digest
