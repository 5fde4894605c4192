"""Moments of a Debian snapshot service."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Final

import requests

from rocmimg.errors import SourceError
from rocmimg.registry.http import innermost, retrying_session

_MOMENT: Final = re.compile(r"/(\d{8}T\d{6}Z)(?:/|$)")
_TIMEOUT_S: Final = (10, 60)


def look_up(service: str) -> str:
    """The newest moment; services redirect any moment to the last one before it.

    Raises:
        SourceError: the service does not answer.
    """
    now = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    url = f"{service.rstrip('/')}/{now}/"
    try:
        response = retrying_session().head(url, allow_redirects=True, timeout=_TIMEOUT_S)
        response.raise_for_status()
    except requests.RequestException as error:
        raise SourceError(f"cannot ask {service} for its newest snapshot", why=innermost(error)) from error
    found = _MOMENT.search(response.url)
    return found[1] if found else now
