"""HTTP to one registry: retried, authorized, its errors in this project's words."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Mapping
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final
from urllib.parse import urljoin, urlsplit

import requests
from urllib3.exceptions import DecodeError, HTTPError, ProtocolError

from rocmimg.engine.credentials import Credentials
from rocmimg.errors import DiskFullError, RegistryDenied, RegistryError
from rocmimg.registry import http
from rocmimg.registry.auth import UNAUTHORIZED, Authorizer
from rocmimg.registry.http import innermost, retrying_session
from rocmimg.registry.reference import is_loopback

_TIMEOUT_S: Final = (10, 120)
DOCUMENT_LIMIT: Final = 32 * http.MIB
"""Manifests and lists."""
BLOB_LIMIT: Final = 512 * http.MIB
"""Configurations and what is attached; layers are never read here."""
_REDIRECTS: Final = 5
_MOVED: Final = frozenset({301, 302, 303, 307, 308})
_ATTEMPTS: Final = 4
"""For an answer that breaks off in the middle."""
_CERTS: Final = Path("/etc/docker/certs.d")
_FULL: Final = re.compile(r"no space left on device|'Err': 28\b")
"""docker-registry 2 reports ENOSPC by its number only."""


class Transport:
    """Requests to one registry; safe to use from several threads."""

    def __init__(self, host: str, credentials: Credentials | None) -> None:
        self.host = host
        self._local = threading.local()
        self._authorizer = Authorizer(host, credentials, self._send)
        self._scheme = ""
        self._lock = threading.Lock()

    def call(
        self,
        method: str,
        path: str,
        *,
        scope: str,
        ok: tuple[int, ...],
        what: str,
        headers: Mapping[str, str] | None = None,
        data: bytes | None = None,
        limit: int = DOCUMENT_LIMIT,
    ) -> requests.Response:
        """The answer to ``method path`` (a path, or the address that an answer named) with its body read.

        ``ok`` are the status codes that the caller understands; ``what`` says what did not work; ``limit`` is how many
        bytes the body may have. Reads follow redirects, and no host but the registry itself gets credentials.

        Raises:
            RegistryDenied: credentials are missing, refused, or may not do this.
            DiskFullError: the registry's disk is full.
            RegistryError: anything else.
        """
        url = self._resolve(path, self._base())
        for _ in range(_REDIRECTS):
            response = self._authorized(method, url, scope=scope, ok=ok, headers=headers, data=data, limit=limit)
            if response.status_code not in _MOVED or response.status_code in ok:
                break
            if method not in ("GET", "HEAD"):
                raise RegistryError(what, why=f"{self.host} sends a write to another place ({response.status_code})")
            url = self._resolve(response.headers.get("Location", ""), url)
        else:
            raise RegistryError(what, why=f"{self.host} redirects more than {_REDIRECTS} times")
        if response.status_code in ok:
            return response
        raise refused(what, self.host, response)

    def _authorized(
        self,
        method: str,
        url: str,
        *,
        scope: str,
        ok: tuple[int, ...],
        headers: Mapping[str, str] | None,
        data: bytes | None,
        limit: int,
    ) -> requests.Response:
        own = url.startswith(self._base())
        tried: str | None = None
        for _ in range(3):  # as it was, with a token, with a new token where the first one had expired
            given = dict(headers or {})
            if own and (authorization := self._authorizer.header(scope)):
                given["Authorization"] = tried = authorization
            response = self._send(method, url, headers=given, data=data, limit=limit)
            # What another host asks for is none of our registry's business: it gets nothing.
            if not own or response.status_code != UNAUTHORIZED or UNAUTHORIZED in ok:
                break
            self._authorizer.authorize(response.headers.get("WWW-Authenticate", ""), scope, tried)
        return response

    def _resolve(self, location: str, base: str) -> str:
        """An absolute address; on the registry's own host always by its own scheme.

        Raises:
            RegistryError: it is not an address, or one without TLS on another machine.
        """
        try:
            url = urlsplit(urljoin(base, location))
            url.port  # noqa: B018 # a ValueError where it is not a number
        except ValueError as error:
            raise RegistryError(f"{self.host} names an address that is none", why=location[:200]) from error
        if url.netloc == self.host:  # a registry behind a proxy that ends TLS may say http
            return url._replace(scheme=urlsplit(self._base()).scheme).geturl()
        if url.scheme != "https" and not (url.scheme == "http" and is_loopback(url.netloc)):
            raise RegistryError(f"{self.host} leads to {url.scheme}://{url.netloc}", why="that is not encrypted")
        return url.geturl()

    def _base(self) -> str:
        with self._lock:
            if not self._scheme:
                self._scheme = self._find_scheme()
        return f"{self._scheme}://{self.host}/"

    def _find_scheme(self) -> str:
        """HTTPS; on this machine HTTP where no HTTPS is spoken, as docker does it."""
        if not is_loopback(self.host):
            return "https"
        try:
            with requests.get(
                f"https://{self.host}/v2/",
                timeout=_TIMEOUT_S,
                verify=self._verify(self.host),
                allow_redirects=False,
                stream=True,
            ):
                pass
        except requests.exceptions.SSLError as error:
            return "https" if "certificate" in str(error).lower() else "http"
        except requests.RequestException:
            return "http"
        return "https"

    def _send(self, method: str, url: str, *, limit: int = DOCUMENT_LIMIT, **arguments: Any) -> requests.Response:
        """One request with its body, tried again when the answer breaks off; never redirected."""
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                response = self._session().request(
                    method,
                    url,
                    timeout=_TIMEOUT_S,
                    verify=self._verify(urlsplit(url).netloc),
                    stream=True,
                    **arguments,
                )
                with response:
                    response._content = http.read_body(response, limit)  # noqa: SLF001 # what requests itself would do
                return response
            except (ProtocolError, DecodeError, requests.exceptions.ChunkedEncodingError) as error:
                if attempt == _ATTEMPTS:
                    raise RegistryError(
                        f"{self.host} breaks off in the middle of its answer",
                        why=f"{method} {url}, {attempt} times",
                        next_step="see whether the registry is healthy, then run the same command again",
                    ) from error
                time.sleep(http.BACKOFF_S * 2**attempt)
            except http.BodyError as error:
                raise RegistryError(
                    f"{self.host} answers without end",
                    why=str(error),
                    next_step="check the registry's name, and whether something else answers in its place",
                ) from error
            except (requests.RequestException, HTTPError) as error:
                raise self._unreachable(url, error) from error
        raise AssertionError

    def _session(self) -> requests.Session:
        session: requests.Session | None = getattr(self._local, "session", None)
        if session is None:
            session = retrying_session(redirects=False)
            session.auth = _NoNetrc()
            self._local.session = session
        return session

    @staticmethod
    def _verify(netloc: str) -> str | bool:
        """The CA that docker would use for this registry besides the system's."""
        found = sorted((_CERTS / netloc).glob("*.crt")) if (_CERTS / netloc).is_dir() else []
        return str(found[0]) if found else True

    def _unreachable(self, url: str, error: Exception) -> RegistryError:
        reason = innermost(error)
        if isinstance(error, requests.exceptions.SSLError):
            return RegistryError(
                f"{self.host} has no certificate that is trusted here",
                why=reason,
                next_step=f"put its CA into {_CERTS / self.host}/ca.crt, where docker looks too",
            )
        return RegistryError(
            f"{self.host} does not answer",
            why=f"{urlsplit(url).netloc}: {reason}",
            next_step="check the name, the network and the proxy",
        )


class _NoNetrc(requests.auth.AuthBase):
    """Keeps requests from putting ~/.netrc's password over our header."""

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        return request


def document(response: requests.Response, what: str) -> dict[str, Any]:
    """The JSON object of an answer.

    Raises:
        RegistryError: it is something else, for instance the page of a proxy.
    """
    try:
        value = response.json()
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        kind = response.headers.get("Content-Type", "no type").partition(";")[0]
        raise RegistryError(
            what,
            why=f"the answer is {kind}, not a JSON object: {' '.join(response.text[:80].split())!r}",
            next_step="check the registry's name, and whether a proxy answers in its place",
        )
    return value


def refused(what: str, host: str, response: requests.Response) -> RegistryError | DiskFullError:
    """The error for an answer that was not hoped for."""
    said = _message(response)
    status = response.status_code
    why = f"{host} answers {status}{f': {said}' if said else ''}"
    if _FULL.search(said):
        return DiskFullError(what, why=why, next_step="free space on the registry's disk, then run this again")
    if status in (UNAUTHORIZED, HTTPStatus.FORBIDDEN):
        return RegistryDenied(
            what, why=why, next_step=f"these credentials may not do this: `docker login {host}` with others"
        )
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        wait = response.headers.get("Retry-After", "")
        return RegistryError(
            what, why=why, next_step=f"wait{f' {wait} s' if wait.isdigit() else ''}, then run the same command again"
        )
    if status in http.TRANSIENT:
        return RegistryError(what, why=why, next_step="the registry is in trouble: run the same command again later")
    return RegistryError(what, why=why)


def _message(response: requests.Response) -> str:
    try:
        errors = response.json()["errors"]
        texts = [f"{e.get('message') or e.get('code', '')} {e.get('detail') or ''}".strip() for e in errors]
    except (ValueError, KeyError, TypeError, AttributeError):
        texts = [response.text[:200]]
    return " ".join("; ".join(texts).split())[:400]
