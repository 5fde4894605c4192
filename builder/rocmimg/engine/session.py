"""BuildKit's session: what an engine asks of its client while a build runs; here the secrets of the build's steps.

The engine keeps the connection of ``POST /session`` and asks over it, as a client of gRPC over HTTP/2. A secret is
mounted where a step asks for it; it is in no layer, argument or label, and the engine's cache does not know it.
"""

from __future__ import annotations

import contextlib
import socket
import threading
import uuid
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

import requests
from google.protobuf.message import DecodeError
from google.protobuf.wrappers_pb2 import BytesValue, Int32Value, StringValue
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import DataReceived, RequestReceived, StreamEnded
from h2.exceptions import ProtocolError

from rocmimg.engine.api import explained
from rocmimg.errors import EngineError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from rocmimg.engine.api import Api

_OK: Final = "0"
_NOT_FOUND: Final = "5"
_UNIMPLEMENTED: Final = "12"
_PREFIX: Final = 5
"""Bytes before a message of gRPC: whether it is compressed, and its length."""
_MOST: Final = 60_000
"""Of a secret, so that an answer never waits until the engine makes room."""
_SERVING: Final = 1


class _Method(StrEnum):
    """What an engine may ask."""

    GET_SECRET = "/moby.buildkit.secrets.v1.Secrets/GetSecret"  # noqa: S105 - no password
    HEALTH = "/grpc.health.v1.Health/Check"


@contextlib.contextmanager
def session(api: Api, secrets: Mapping[str, bytes]) -> Iterator[str]:
    """Offer ``secrets``, by their ids, to builds that name the session which this yields.

    Raises:
        EngineError: the engine has no sessions, or a secret is too long.
    """
    for name, secret in secrets.items():
        if len(secret) > _MOST:
            raise EngineError(f"the secret {name} is too long", why=f"it has {len(secret)} bytes, and may have {_MOST}")
    name = uuid.uuid4().hex
    with explained("the engine opens no session"):
        response = api.client.post(
            api.url("/session"),
            headers={
                "Connection": "Upgrade",
                "Upgrade": "h2c",
                "X-Docker-Expose-Session-Uuid": name,
                "X-Docker-Expose-Session-Name": "rocmimg",
                "X-Docker-Expose-Session-Grpc-Method": _Method.GET_SECRET.value,
            },
            stream=True,
            timeout=(30, None),
        )
    with contextlib.closing(response):
        if response.status_code != requests.codes.switching_protocols:
            raise EngineError("the engine opens no session", why=f"it answers {response.status_code}")
        link = _Link(response)
        thread = threading.Thread(target=_serve, args=(link, dict(secrets)), daemon=True)
        thread.start()
        try:
            yield name
        finally:
            link.close()
            thread.join(5)


class _Link:
    """The bytes of an upgraded connection: what came along with the header is in the buffer of the response."""

    def __init__(self, response: requests.Response) -> None:
        raw: Any = response.raw  # neither urllib3 nor http.client has a public way to what is below
        try:
            self._reader = raw._fp.fp  # noqa: SLF001
            self._socket: socket.socket = self._reader.raw._sock  # noqa: SLF001
        except AttributeError as error:
            raise EngineError("the engine's connection cannot be taken over", why=str(error)) from error
        self._socket.settimeout(None)

    def read(self) -> bytes:
        return bytes(self._reader.read1(1 << 16))

    def write(self, data: bytes) -> None:
        self._socket.sendall(data)

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)


def _serve(link: _Link, secrets: Mapping[str, bytes]) -> None:
    connection = H2Connection(H2Configuration(client_side=False, header_encoding="utf-8"))
    connection.initiate_connection()
    asked: dict[int, tuple[str, bytearray]] = {}
    with contextlib.suppress(OSError, ValueError, ProtocolError):
        link.write(connection.data_to_send())
        while data := link.read():
            for event in connection.receive_data(data):
                match event:
                    case RequestReceived():
                        headers: dict[Any, Any] = dict(event.headers or ())
                        asked[event.stream_id] = (str(headers.get(":path")), bytearray())
                    case DataReceived():
                        connection.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
                        if event.stream_id in asked:
                            asked[event.stream_id][1].extend(event.data)
                    case StreamEnded() if event.stream_id in asked:
                        path, body = asked.pop(event.stream_id)
                        _answer(connection, event.stream_id, *_said(path, bytes(body[_PREFIX:]), secrets))
            link.write(connection.data_to_send())


def _said(path: str, message: bytes, secrets: Mapping[str, bytes]) -> tuple[str, bytes]:
    """The status and the message of an answer. Each message here has one field with the number 1, as those of
    ``google.protobuf.wrappers`` have."""
    match path:
        case _Method.HEALTH:
            return _OK, Int32Value(value=_SERVING).SerializeToString()
        case _Method.GET_SECRET:
            try:
                name = StringValue.FromString(message).value
            except DecodeError:
                return _NOT_FOUND, b""
            if name not in secrets:
                return _NOT_FOUND, b""
            return _OK, BytesValue(value=secrets[name]).SerializeToString()
        case _:
            return _UNIMPLEMENTED, b""


def _answer(connection: H2Connection, stream: int, status: str, message: bytes) -> None:
    head = [(":status", "200"), ("content-type", "application/grpc")]
    end = [("grpc-status", status)]
    if status != _OK:
        connection.send_headers(stream, head + end, end_stream=True)
        return
    connection.send_headers(stream, head)
    data, size = b"\0" + len(message).to_bytes(4, "big") + message, connection.max_outbound_frame_size
    for start in range(0, len(data), size):
        connection.send_data(stream, data[start : start + size])
    connection.send_headers(stream, end, end_stream=True)
