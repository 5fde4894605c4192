"""Which engine the docker command line would talk to.

The order and the file layout are the docker command line's: DOCKER_HOST, DOCKER_CONTEXT, currentContext of config.json,
the default socket. docker-py has a reader of contexts, but it looks in the working directory where there is no
config.json, ignores DOCKER_CONTEXT, and drops a context's CA where it has no client certificate.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from rocmimg.errors import ConfigError, Position

DEFAULT_URL: Final = "unix:///var/run/docker.sock"


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """Where the engine is and how to trust it."""

    url: str
    source: str
    """What named it: "DOCKER_HOST", "context lab", "default"."""
    tls: bool = False
    verify: bool = True
    ca: Path | None = None
    cert: Path | None = None
    key: Path | None = None


def resolve(environ: Mapping[str, str] | None = None) -> Endpoint:
    """The endpoint named by the environment and the docker configuration.

    Raises ConfigError for a context that does not exist or cannot be read.
    """
    env = os.environ if environ is None else environ
    folder = Path(env.get("DOCKER_CONFIG") or Path(env.get("HOME") or Path.home(), ".docker"))
    if host := env.get("DOCKER_HOST"):
        return _from_environment(_canonical(host), env, folder)
    name, position = env.get("DOCKER_CONTEXT", ""), Position("DOCKER_CONTEXT")
    if not name:
        config = folder / "config.json"
        name, position = str(_read(config).get("currentContext") or ""), Position(str(config))
    if name and name != "default":
        return _from_context(name, folder / "contexts", position)
    return Endpoint(url=DEFAULT_URL, source="default")


def _canonical(host: str) -> str:
    if "://" not in host:
        return f"unix://{host}" if host.startswith("/") else f"tcp://{host}"
    return host


def _present(path: Path) -> Path | None:
    return path if path.is_file() else None


def _from_environment(url: str, env: Mapping[str, str], folder: Path) -> Endpoint:
    verify = bool(env.get("DOCKER_TLS_VERIFY"))
    tls = verify or bool(env.get("DOCKER_TLS"))
    if not tls or not url.startswith("tcp://"):
        return Endpoint(url=url, source="DOCKER_HOST")
    certs = Path(env.get("DOCKER_CERT_PATH") or folder)
    ca = certs / "ca.pem"
    if verify and not ca.is_file():
        raise ConfigError(
            f"no CA certificate {ca}",
            why="DOCKER_TLS_VERIFY is set, so the engine's certificate is checked against it",
            next_step="put ca.pem, cert.pem and key.pem there, or set DOCKER_CERT_PATH to the folder that has them",
            position=Position("DOCKER_CERT_PATH"),
        )
    return Endpoint(
        url=url,
        source="DOCKER_HOST",
        tls=True,
        verify=verify,
        ca=ca if verify else None,
        cert=_present(certs / "cert.pem"),
        key=_present(certs / "key.pem"),
    )


def _from_context(name: str, folder: Path, position: Position) -> Endpoint:
    digest = hashlib.sha256(name.encode()).hexdigest()
    meta_file = folder / "meta" / digest / "meta.json"
    if not meta_file.is_file():
        raise ConfigError(
            f"no docker context {name!r}",
            why=f"there is no {meta_file}",
            next_step="`docker context ls` lists those that exist; DOCKER_CONTEXT=default uses the default socket",
            position=position,
        )
    docker = _read(meta_file).get("Endpoints", {}).get("docker", {})
    url = _canonical(docker.get("Host") or DEFAULT_URL)
    skip = bool(docker.get("SkipTLSVerify"))
    certs = folder / "tls" / digest / "docker"
    ca, cert, key = (_present(certs / f"{part}.pem") for part in ("ca", "cert", "key"))
    tls = url.startswith("tcp://") and (skip or any((ca, cert, key)))
    return Endpoint(
        url=url,
        source=f"context {name}",
        tls=tls,
        verify=not skip,
        ca=ca if tls and not skip else None,
        cert=cert if tls else None,
        key=key if tls else None,
    )


def _read(path: Path) -> dict[str, Any]:
    try:
        data = json.loads(path.read_bytes())
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise ConfigError(
            "cannot read the docker configuration", why=str(error), position=Position(str(path))
        ) from None
    except ValueError as error:
        line = error.lineno if isinstance(error, json.JSONDecodeError) else 0
        raise ConfigError(
            "the docker configuration is no JSON", why=str(error), position=Position(str(path), line)
        ) from None
    return data if isinstance(data, dict) else {}
