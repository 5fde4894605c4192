"""HTTP that is tried again: what registries, indexes and snapshot services are asked with."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from types import TracebackType
from typing import Any, Final, Self

import requests
from requests.adapters import HTTPAdapter
from urllib3 import BaseHTTPResponse, HTTPConnectionPool, HTTPResponse, HTTPSConnectionPool, ProxyManager, Retry
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import ConnectionPool
from urllib3.exceptions import DecodeError, HTTPError, MaxRetryError, ProtocolError, ResponseError

from rocmimg import __version__

TRANSIENT: Final = (429, 500, 502, 503, 504)
BACKOFF_S: Final = 0.3
BODY_S: Final = 300
"""So long an answer may take to come in."""
MIB: Final = 1024 * 1024
LIMIT: Final = 128 * MIB
_CHUNK: Final = 65536
RETRY_AFTER_MAX_S: Final = 30
"""A server that asks for a longer pause is reported instead of waited for."""


class _Direct(requests.Session):
    """Leaves redirects to the caller: requests would read their bodies and addresses even when told not to follow."""

    def get_redirect_target(self, resp: requests.Response) -> None:  # noqa: ARG002
        return None


def retrying_session(*, redirects: bool = True) -> requests.Session:
    """A session that tries connections and transient answers again, up to five times; the last answer is returned."""
    session = requests.Session() if redirects else _Direct()
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
        session.mount(prefix, _Bounded(max_retries=retry))
    return session


class BodyError(requests.RequestException):
    """An answer that is too long, or does not come to its end."""


def read_body(response: requests.Response, limit: int) -> bytes:
    """Read as it comes, so that neither an endless body nor a dripping one holds us.

    Raises:
        BodyError: it has more than ``limit`` bytes, or takes too long.
        urllib3's errors: it breaks off.
    """
    deadline = time.monotonic() + BODY_S
    parts: list[bytes] = []
    size = 0
    while chunk := response.raw.read1(_CHUNK, decode_content=True):
        parts.append(chunk)
        size += len(chunk)
        if size > limit:
            raise BodyError(f"more than {limit // MIB} MiB at {response.url}")
        if time.monotonic() > deadline:
            raise BodyError(f"{size} bytes in {BODY_S} s, and no end, at {response.url}")
    return b"".join(parts)


class _Late(HTTPError):
    """The answer does not begin."""


class _Patient(HTTPConnection):
    """Waits so long for the head of an answer, and not for each of its bytes anew, or for one "100 Continue" more."""

    def getresponse(self) -> HTTPResponse:  # type: ignore[override] # as urllib3 has it
        over = threading.Event()

        def hang_up(sock: socket.socket | None = self.sock) -> None:
            over.set()
            if sock:
                with contextlib.suppress(OSError):
                    sock.shutdown(socket.SHUT_RDWR)

        timer = threading.Timer(BODY_S, hang_up)
        timer.daemon = True
        timer.start()
        try:
            response = super().getresponse()
        except Exception:
            if not over.is_set():
                raise
        finally:
            timer.cancel()
        if over.is_set():  # what was read until then may look like a whole head
            raise _Late(f"no whole head of an answer in {BODY_S} s")
        return response


class _PatientTls(_Patient, HTTPSConnection):
    """The same with TLS."""


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Patient


class _PoolTls(HTTPSConnectionPool):
    ConnectionCls = _PatientTls


_POOLS: Final = {"http": _Pool, "https": _PoolTls}


class _Bounded(HTTPAdapter):
    """Reads every body that nobody wants to stream, those of redirects included."""

    def init_poolmanager(self, *args: Any, **options: Any) -> None:
        super().init_poolmanager(*args, **options)
        self.poolmanager.pool_classes_by_scheme = _POOLS

    def proxy_manager_for(self, *args: Any, **options: Any) -> ProxyManager:
        manager: ProxyManager = super().proxy_manager_for(*args, **options)
        manager.pool_classes_by_scheme = _POOLS
        return manager

    def send(
        self,
        request: requests.PreparedRequest,
        stream: bool = False,
        timeout: Any = None,
        verify: bool | str = True,
        cert: Any = None,
        proxies: Any = None,
    ) -> requests.Response:
        try:
            response = super().send(request, True, timeout, verify, cert, proxies)
        except _Late as error:
            raise BodyError(f"{error} from {request.url}") from error
        if not stream:
            with response:
                try:
                    response._content = read_body(response, LIMIT)  # noqa: SLF001 # as requests itself does it
                except (ProtocolError, DecodeError) as error:
                    raise requests.exceptions.ChunkedEncodingError(error, request=request) from error
                except HTTPError as error:
                    raise requests.exceptions.ConnectionError(error, request=request) from error
        return response


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
