"""The list of images, asked over the engine's socket without docker-py: its import takes longer than the answer.

Only where that is certain to say the same: Docker itself, on a socket of this machine. Everywhere else, and for
anything unexpected, there is no answer here, and the client asks.
"""

from __future__ import annotations

import json
import socket
from typing import Final

from rocmimg.engine.endpoint import Endpoint
from rocmimg.engine.images import listed
from rocmimg.engine.types import ImageInfo

_LIMIT_S: Final = 10
_LARGEST: Final = 64 << 20


def images(endpoint: Endpoint) -> tuple[ImageInfo, ...] | None:
    """Every image that has a tag or stands alone; None where the client has to ask."""
    if not endpoint.url.startswith("unix://"):
        return None
    try:
        head, _, body = _get(endpoint.url.removeprefix("unix://"), "/images/json").partition(b"\r\n\r\n")
        status, *headers = head.split(b"\r\n")
        docker = any(header.lower().startswith(b"server: docker/") for header in headers)
        chunked = any(header.lower().startswith(b"transfer-encoding:") for header in headers)
        if status.split()[1:2] != [b"200"] or not docker or chunked:
            return None
        return tuple(listed(image, podman=False) for image in json.loads(body))
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def _get(path: str, what: str) -> bytes:
    """An answer as a whole; HTTP/1.0 has no chunks."""
    with socket.socket(socket.AF_UNIX) as link:
        link.settimeout(_LIMIT_S)
        link.connect(path)
        link.sendall(f"GET {what} HTTP/1.0\r\nHost: engine\r\n\r\n".encode())
        received = bytearray()
        while part := link.recv(1 << 20):
            received += part
            if len(received) > _LARGEST:
                raise ValueError("too large")
    return bytes(received)
