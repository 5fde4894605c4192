"""One docker-py client per thread for one endpoint, and its errors in this project's words."""

from __future__ import annotations

import contextlib
import os
import re
import socket
import ssl
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import docker
import requests
from docker.errors import APIError, DockerException
from urllib3.exceptions import HTTPError

from rocmimg.engine.failure import refused
from rocmimg.errors import EngineError, RocmimgError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from rocmimg.engine.endpoint import Endpoint

_CONNECT_S: Final = 20
_ANY_VERSION: Final = "1.41"
"""The first question is asked without a version, but docker-py wants one."""
_SPEAKS_TLS: Final = re.compile(r"HTTPS server|Remote end closed|reset by peer|Connection aborted|BadStatusLine")
_CALL_S: Final = 900
"""Removing or committing an image of 70 GB keeps the engine silent for minutes."""


class Api:
    """HTTP to one engine. ``client`` belongs to the calling thread: a requests.Session is not safe to share."""

    def __init__(self, endpoint: Endpoint) -> None:
        self.endpoint = endpoint
        self._local = threading.local()
        self._all: list[docker.APIClient] = []
        self._lock = threading.Lock()
        self.version = self._ask()

    @property
    def podman(self) -> bool:
        components = self.version.get("Components") or ()
        return any("podman" in str(part.get("Name", "")).lower() for part in components)

    @property
    def client(self) -> docker.APIClient:
        client: docker.APIClient | None = getattr(self._local, "client", None)
        if client is None:
            client = self._new(str(self.version["ApiVersion"]))
            client.timeout = _CALL_S
            self._local.client = client
            with self._lock:
                self._all.append(client)
        return client

    def url(self, path: str) -> str:
        """The address of an API call that docker-py has no method for."""
        return f"{self.client.base_url}/v{self.client.api_version}{path}"

    def close(self) -> None:
        with self._lock:
            clients, self._all = self._all, []
        for client in clients:
            with contextlib.suppress(requests.RequestException, OSError):
                client.close()

    def _ask(self) -> Mapping[str, Any]:
        # Not docker-py's version="auto", and a knock first: where these fail, docker-py leaves a socket open.
        try:
            _knock(self.endpoint.url)
            with contextlib.closing(self._new(_ANY_VERSION)) as client:
                said: Mapping[str, Any] = client.version(api_version=False)
                if "ApiVersion" not in said:
                    raise DockerException("what answers there is no container engine")
                return said
        except (DockerException, requests.RequestException, OSError, ValueError) as error:
            raise unreachable(self.endpoint, error) from error

    def _new(self, version: str) -> docker.APIClient:
        end = self.endpoint
        tls: bool | docker.tls.TLSConfig = False
        if end.tls:
            pair = (str(end.cert), str(end.key)) if end.cert and end.key else None
            ca = str(end.ca) if end.ca else None
            tls = docker.tls.TLSConfig(client_cert=pair, ca_cert=ca, verify=end.verify)
        client = docker.APIClient(base_url=end.url, version=version, timeout=_CONNECT_S, tls=tls)
        # Or REQUESTS_CA_BUNDLE would win over the engine's own CA, and ~/.netrc would be read for every call.
        client.trust_env = False
        client.proxies = requests.utils.get_environ_proxies(client.base_url)
        return client


def _knock(url: str) -> None:
    if url.startswith("unix://"):
        with contextlib.closing(socket.socket(socket.AF_UNIX)) as probe:
            probe.settimeout(_CONNECT_S)
            probe.connect(url.removeprefix("unix://"))


def message_of(error: Exception) -> str:
    """The engine's own words where it had any."""
    if isinstance(error, APIError):
        return str(error.explanation or error)
    return str(error)


@contextlib.contextmanager
def explained(what: str) -> Iterator[None]:
    """Turn the exceptions of docker-py and of its HTTP client into ours; ``what`` says what did not work."""
    try:
        yield
    except RocmimgError:
        raise
    except APIError as error:
        raise refused(what, message_of(error)) from error
    except (DockerException, requests.RequestException, HTTPError, OSError) as error:
        raise EngineError(
            what, why=f"the engine went away: {message_of(error)}", next_step="see whether it still runs"
        ) from error


def unreachable(endpoint: Endpoint, error: Exception) -> EngineError:
    """Why no engine answers: not installed, not running, no permission, or something else."""
    what = f"no container engine answers at {endpoint.url} ({endpoint.source})"
    causes = list(_chain(error))
    if any(isinstance(cause, PermissionError) for cause in causes):
        return EngineError(
            what,
            why="this user may not open the socket",
            next_step="run as root, or join the socket's group (`usermod -aG docker $USER`, then log in again)",
        )
    if any(isinstance(cause, FileNotFoundError) for cause in causes):
        return EngineError(
            what,
            why="there is no such socket, so none is installed or none is running",
            next_step="start it (`systemctl start docker`), or install one: `scripts/setup-engine.sh` does on Debian "
            f"and Ubuntu{_elsewhere()}",
        )
    if any(isinstance(cause, ConnectionRefusedError) for cause in causes):
        return EngineError(
            what, why="nothing listens there", next_step="start the engine (`systemctl start docker`), or run `dockerd`"
        )
    if tls := next((cause for cause in causes if isinstance(cause, ssl.SSLError)), None):
        return EngineError(
            what,
            why=f"TLS fails: {tls.reason or tls}",
            next_step="check ca.pem, cert.pem and key.pem of DOCKER_CERT_PATH or of the docker context",
        )
    if endpoint.url.startswith("tcp://") and not endpoint.tls and _SPEAKS_TLS.search(str(error)):
        return EngineError(
            what,
            why="it does not answer plain HTTP; it seems to want TLS",
            next_step="set DOCKER_TLS_VERIFY=1, and DOCKER_CERT_PATH to the folder with ca.pem, cert.pem and key.pem",
        )
    return EngineError(what, why=" ".join(str(error).split()), next_step="check DOCKER_HOST and the docker context")


def _elsewhere() -> str:
    """The sockets of rootless docker and of podman, where they are."""
    runtime = Path(os.environ.get("XDG_RUNTIME_DIR") or f"/run/user/{os.getuid()}")
    known = (runtime / "docker.sock", runtime / "podman/podman.sock", Path("/run/podman/podman.sock"))
    found = [str(path) for path in known if path.exists()]
    return f"; another one is here: DOCKER_HOST=unix://{found[0]}" if found else ""


def _chain(error: BaseException) -> Iterator[BaseException]:
    """An exception, what it was raised from, and the exceptions in its arguments (as urllib3 nests them)."""
    todo, seen = [error], set()
    while todo:
        one = todo.pop()
        if id(one) in seen:
            continue
        seen.add(id(one))
        yield one
        todo += [e for e in (one.__cause__, one.__context__, *one.args) if isinstance(e, BaseException)]
