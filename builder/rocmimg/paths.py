"""Where rocmimg keeps what it can make again, and how it writes what others read meanwhile."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path


def cache_dir() -> Path:
    """``$ROCMIMG_CACHE``, else the user's cache folder; not created here."""
    if own := os.environ.get("ROCMIMG_CACHE"):
        return Path(own)
    from platformdirs import user_cache_path

    return user_cache_path("rocmimg")


def write_atomic(path: Path, text: str) -> None:
    """Write a file as a whole or not at all; its folder is made.

    Raises:
        OSError: it cannot be written; what was there stays.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    part = Path(name)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as stream:
            stream.write(text)
            stream.flush()
            os.fsync(stream.fileno())
        part.chmod(path.stat().st_mode & 0o777 if path.exists() else 0o644)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
