"""The Python distributions that the interpreter sees, and what their metadata and records say."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
from importlib import metadata
from typing import Any

_REQUIRES = re.compile(r"^Requires-Dist:", re.MULTILINE)
_HASH_LIMIT = 4 << 20
"""Larger files are compared by size: Triton's one library has 400 MB."""


def distributions() -> list[dict[str, Any]]:
    """Every distribution on the path, in the path's order."""
    return [_describe(found) for found in metadata.distributions() if found.metadata["Name"]]


def _describe(found: metadata.Distribution) -> dict[str, Any]:
    text = found.read_text("METADATA") or found.read_text("PKG-INFO") or ""
    files = [str(file) for file in found.files or []]
    tops = {file.split("/", 1)[0] for file in files if "/" in file}
    tops |= set((found.read_text("top_level.txt") or "").split())
    return {
        "name": found.metadata["Name"],
        "version": found.version,
        "path": str(found.locate_file("")),
        "requires": list(found.requires or []),
        "requires_written": len(_REQUIRES.findall(text)),
        "broken_header": any("Separator" in type(defect).__name__ for defect in getattr(found.metadata, "defects", ())),
        "packages": sorted(top for top in tops if top.isidentifier()),
        "checkout": _checkout(found),
    }


def _checkout(found: metadata.Distribution) -> str:
    """The folder of an editable install."""
    try:
        said = json.loads(found.read_text("direct_url.json") or "{}")
    except ValueError:
        return ""
    url = str(said.get("url", ""))
    return url[len("file://") :] if said.get("dir_info", {}).get("editable") and url.startswith("file://") else ""


def overwritten(package: str) -> list[dict[str, str]]:
    """Files below ``package`` that are not what a distribution's record says of them."""
    wrong: list[dict[str, str]] = []
    for found in metadata.distributions():
        for file in found.files or []:
            if not str(file).startswith(package + "/") or file.hash is None:
                continue
            path = str(found.locate_file(file))
            said = "missing" if not os.path.isfile(path) else _differs(path, file.size, file.hash)
            if said:
                wrong.append({"distribution": found.metadata["Name"], "path": path, "how": said})
    return wrong


def _differs(path: str, size: int | None, recorded: metadata.FileHash) -> str:
    if size is not None and os.path.getsize(path) != size:
        return "another size"
    if os.path.getsize(path) > _HASH_LIMIT:
        return ""
    with open(path, "rb") as file:
        content = hashlib.new(recorded.mode, file.read()).digest()
    return "" if base64.urlsafe_b64encode(content).decode().rstrip("=") == recorded.value else "another content"
