"""What travels to the engine beside the Dockerfile."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class ContextFile:
    """One member of the build context.

    ``data`` is the content itself or the regular file that holds it; for a symbolic link ``link`` is its target and
    ``data`` is empty. ``mode`` holds permission bits. Owner and times are the engine's to normalize.
    """

    path: str
    """POSIX, relative to the root of the context."""
    data: bytes | Path = b""
    mode: int = 0o644
    link: str | None = None
