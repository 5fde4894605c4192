"""HTTP that is tried again: what registries, indexes and snapshot services are asked with."""

from __future__ import annotations

from types import TracebackType
from typing import Final, Self

import requests
from requests.adapters import HTTPAdapter
from urllib3 import BaseHTTPResponse, Retry
from urllib3.connectionpool import ConnectionPool
from urllib3.exceptions import MaxRetryError, ResponseError

from rocmimg import __version__

TRANSIENT: Final = (429, 500, 502, 503, 504)
BACKOFF_S: Final = 0.3
RETRY_AFTER_MAX_S: Final = 30
"""A server that asks for a longer pause is reported instead of waited for."""


def retrying_session() -> requests.Session:
    """A session that tries connections and transient answers again, up to five times; the last answer is returned."""
    session = requests.Session()
    session.headers["User-Agent"] = f"rocmimg/{__version__}"
    retry = _Retry(
        total=5,
        connect=2,
        other=0,
        allowed_methods=None,
        status_forcelist=TRANSIENT,
        backoff_factor=BACKOFF_S,
        backoff_jitter=BACKOFF_S,
        raise_on_status=False,
    )
    for prefix in ("https://", "http://"):
        session.mount(prefix, HTTPAdapter(max_retries=retry))
    return session


def innermost(error: BaseException) -> str:
    """What an exception of requests is about, without the layers around it."""
    reason: object = error
    while isinstance(reason, BaseException):
        inner = getattr(reason, "reason", None) or next((a for a in reason.args if isinstance(a, BaseException)), None)
        if not inner:
            break
        reason = inner
    return " ".join(str(reason).split())


class _Retry(Retry):
    """Ends where the registry asks for a pause that nobody waits for."""

    def increment(
        self,
        method: str | None = None,
        url: str | None = None,
        response: BaseHTTPResponse | None = None,
        error: Exception | None = None,
        _pool: ConnectionPool | None = None,
        _stacktrace: TracebackType | None = None,
    ) -> Self:
        wait = self.get_retry_after(response) if response is not None else None
        if wait and wait > RETRY_AFTER_MAX_S and _pool is not None:
            raise MaxRetryError(_pool, url or "", ResponseError(f"asked to wait {wait} s"))
        return super().increment(method, url, response, error, _pool, _stacktrace)
