"""Who we are to a registry: basic credentials, or a bearer token that is fetched with them whenever one is missing."""

from __future__ import annotations

import base64
import threading
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

from requests.utils import parse_dict_header

from rocmimg.errors import RegistryDenied, RegistryError
from rocmimg.registry.reference import is_loopback

if TYPE_CHECKING:
    import requests

    from rocmimg.engine.credentials import Credentials

Send = Callable[..., "requests.Response"]
UNAUTHORIZED: Final = 401
_CLIENT: Final = "rocmimg"


@dataclass(frozen=True, slots=True)
class Challenge:
    """What a 401 asks for."""

    scheme: str
    parameters: dict[str, str]

    @classmethod
    def read(cls, header: str) -> Challenge:
        """From the text of WWW-Authenticate."""
        scheme, _, rest = header.partition(" ")
        pairs = parse_dict_header(rest)  # type: ignore[no-untyped-call]
        return cls(scheme.lower(), {name: value or "" for name, value in pairs.items()})


class Authorizer:
    """The Authorization header for one registry, by scope; safe to share between threads."""

    def __init__(self, host: str, credentials: Credentials | None, send: Send) -> None:
        self._host = host
        self._credentials = credentials
        self._send = send
        self._headers: dict[str, str] = {}
        self._lock = threading.Lock()

    def header(self, scope: str) -> str | None:
        """What worked last time for ``scope``."""
        return self._headers.get(scope)

    def authorize(self, header: str, scope: str, tried: str | None) -> str:
        """The Authorization that a 401's WWW-Authenticate asks for; ``tried`` is what was refused.

        Raises:
            RegistryDenied: there are no credentials, or they are refused.
            RegistryError: the token server does not work.
        """
        challenge = Challenge.read(header)
        with self._lock:
            known = self._headers.get(scope)
            if known and known != tried:
                return known  # another thread was faster
            if challenge.scheme == "basic":
                found = self._basic(tried)
            elif challenge.scheme == "bearer":
                found = f"Bearer {self._token(challenge, scope)}"
            else:
                raise RegistryError(f"{self._host} asks for {challenge.scheme or 'unknown'} authentication")
            self._headers[scope] = found
            return found

    def _basic(self, tried: str | None) -> str:
        if self._credentials is None:
            raise self._no_credentials()
        pair = f"{self._credentials.username}:{self._credentials.secret}"
        header = f"Basic {base64.b64encode(pair.encode()).decode()}"
        if header == tried:
            raise self._refused()
        return header

    def _token(self, challenge: Challenge, scope: str) -> str:
        realm = challenge.parameters.get("realm", "")
        if not realm.startswith("https://") and not (realm.startswith("http://") and is_loopback(realm)):
            raise RegistryError(
                f"{self._host} names no token server that credentials could be sent to", why=f"realm is {realm!r}"
            )
        query = {"service": challenge.parameters.get("service", ""), "client_id": _CLIENT}
        who = self._credentials
        if who is not None and not who.username:
            form = {**query, "scope": scope, "grant_type": "refresh_token", "refresh_token": who.secret}
            response = self._send("POST", realm, data=form)
        else:
            basic = (who.username, who.secret) if who else None
            response = self._send("GET", realm, params={**query, "scope": scope.split()}, auth=basic)
        if response.status_code in (UNAUTHORIZED, 403):
            raise self._refused() if who else self._no_credentials()
        if response.status_code != HTTPStatus.OK:
            raise RegistryError(f"the token server of {self._host} answers {response.status_code}", why=realm)
        try:
            said = response.json()
            return str(said.get("token") or said["access_token"])
        except (ValueError, KeyError, AttributeError, TypeError, RecursionError):
            raise RegistryError(f"the token server of {self._host} sends no token", why=realm) from None

    def _no_credentials(self) -> RegistryDenied:
        return RegistryDenied(
            f"{self._host} wants credentials",
            why="the docker configuration has none for it",
            next_step=f"run `docker login {self._host}`",
        )

    def _refused(self) -> RegistryDenied:
        return RegistryDenied(
            f"{self._host} refuses the credentials of the docker configuration",
            next_step=f"run `docker login {self._host}` again",
        )
