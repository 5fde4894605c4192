"""Where rocmimg keeps what it can make again."""

from __future__ import annotations

import os
from pathlib import Path


def cache_dir() -> Path:
    """``$ROCMIMG_CACHE``, else the user's cache folder; not created here."""
    if own := os.environ.get("ROCMIMG_CACHE"):
        return Path(own)
    from platformdirs import user_cache_path

    return user_cache_path("rocmimg")
