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

from rocmimg.engine.credentials import Credentials
from rocmimg.errors import DiskFullError, RegistryDenied, RegistryError
from rocmimg.registry import http
from rocmimg.registry.auth import UNAUTHORIZED, Authorizer
from rocmimg.registry.http import innermost, retrying_session
from rocmimg.registry.reference import is_loopback

_TIMEOUT_S: Final = (10, 120)
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
    ) -> requests.Response:
        """The answer to ``method path`` (a path, or the address that an answer named) with its body read.

        ``ok`` are the status codes that the caller understands; ``what`` says what did not work.

        Raises:
            RegistryDenied: credentials are missing, refused, or may not do this.
            DiskFullError: the registry's disk is full.
            RegistryError: anything else.
        """
        url = urljoin(self._base(), path)
        own = urlsplit(url).netloc == self.host
        tried: str | None = None
        for _ in range(3):  # as it was, with a token, with a new token where the first one had expired
            given = dict(headers or {})
            if own and (authorization := self._authorizer.header(scope)):
                given["Authorization"] = tried = authorization
            response = self._send(method, url, headers=given, data=data)
            if response.status_code != UNAUTHORIZED or UNAUTHORIZED in ok:
                break
            self._authorizer.authorize(response.headers.get("WWW-Authenticate", ""), scope, tried)
        if response.status_code in ok:
            return response
        raise refused(what, self.host, response)

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
            requests.get(f"https://{self.host}/v2/", timeout=_TIMEOUT_S, verify=self._verify(self.host))
        except requests.exceptions.SSLError as error:
            return "https" if "certificate" in str(error).lower() else "http"
        except requests.RequestException:
            return "http"
        return "https"

    def _send(self, method: str, url: str, **arguments: Any) -> requests.Response:
        """One request, tried again when the answer breaks off."""
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                return self._session().request(
                    method, url, timeout=_TIMEOUT_S, verify=self._verify(urlsplit(url).netloc), **arguments
                )
            except (requests.exceptions.ChunkedEncodingError, requests.exceptions.ContentDecodingError) as error:
                if attempt == _ATTEMPTS:
                    raise RegistryError(
                        f"{self.host} breaks off in the middle of its answer",
                        why=f"{method} {url}, {attempt} times",
                        next_step="see whether the registry is healthy, then run the same command again",
                    ) from error
                time.sleep(http.BACKOFF_S * 2**attempt)
            except requests.RequestException as error:
                raise self._unreachable(url, error) from error
        raise AssertionError

    def _session(self) -> requests.Session:
        session: requests.Session | None = getattr(self._local, "session", None)
        if session is None:
            session = retrying_session()
            session.auth = _NoNetrc()
            self._local.session = session
        return session

    @staticmethod
    def _verify(netloc: str) -> str | bool:
        """The CA that docker would use for this registry besides the system's."""
        found = sorted((_CERTS / netloc).glob("*.crt")) if (_CERTS / netloc).is_dir() else []
        return str(found[0]) if found else True

    def _unreachable(self, url: str, error: requests.RequestException) -> RegistryError:
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
