"""Image references as docker reads them."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, replace
from typing import Final
from urllib.parse import urlsplit

HUB: Final = "docker.io"
_HUB_API: Final = "registry-1.docker.io"


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Reference:
    """A repository of a registry, and a tag or a digest in it where one is named."""

    host: str
    """With the port, as docker writes it: ``docker.io``, ``localhost:5000``."""
    name: str
    """The repository, for instance ``library/debian``."""
    tag: str = ""
    digest: str = ""

    @property
    def api_host(self) -> str:
        """Where the registry's API is."""
        return _HUB_API if self.host == HUB else self.host

    @property
    def repository(self) -> str:
        """The short form that docker shows, without tag and digest."""
        if self.host == HUB:
            return self.name.removeprefix("library/")
        return f"{self.host}/{self.name}"

    def at(self, *, tag: str = "", digest: str = "") -> Reference:
        """The same repository, another tag or digest."""
        return replace(self, tag=tag, digest=digest)

    def __str__(self) -> str:
        tag = f":{self.tag}" if self.tag else ""
        digest = f"@{self.digest}" if self.digest else ""
        return f"{self.repository}{tag}{digest}"


def parse(text: str) -> Reference:
    """``text`` with docker's defaults filled in; ``latest`` where it names neither tag nor digest."""
    rest, _, digest = text.partition("@")
    name, colon, tag = rest.rpartition(":")
    if not colon or "/" in tag:
        name, tag = rest, ""
    first, slash, tail = name.partition("/")
    if slash and ("." in first or ":" in first or first == "localhost"):
        host, path = first, tail
    else:
        host, path = HUB, name if slash else f"library/{name}"
    if host in ("index.docker.io", _HUB_API):
        host = HUB
    return Reference(host=host, name=path, tag=tag or ("" if digest else "latest"), digest=digest)


def is_loopback(where: str) -> bool:
    """Whether a host (with or without port) or a URL is on this machine; docker trusts such registries without TLS."""
    try:
        host = urlsplit(where if "//" in where else f"//{where}").hostname or ""
        if host == "localhost":
            return True
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
