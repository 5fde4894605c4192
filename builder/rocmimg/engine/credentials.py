"""Credentials of the user's docker configuration, credential helpers included, for talking to a registry directly."""

from __future__ import annotations

from dataclasses import dataclass, field

from docker.auth import load_config, resolve_authconfig
from docker.errors import DockerException

from rocmimg.errors import ConfigError


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """A name and a password; an empty name means that the secret is an identity token."""

    username: str
    secret: str = field(repr=False)


def credentials(host: str) -> Credentials | None:
    """What the docker configuration has for a registry; None where it has nothing.

    Raises:
        ConfigError: a credential helper fails.
    """
    try:
        found = resolve_authconfig(load_config(), host)
    except DockerException as error:
        raise ConfigError(f"the credential helper for {host} fails", why=str(error)) from error
    if not found:
        return None
    if token := found.get("IdentityToken") or found.get("identitytoken"):
        return Credentials(username="", secret=str(token))
    username = found.get("Username") or found.get("username")
    password = found.get("Password") or found.get("password")
    return Credentials(username=str(username), secret=str(password)) if username and password else None
