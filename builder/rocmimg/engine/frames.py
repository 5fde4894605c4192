"""BuildKit's progress frames as events.

The frames are protobuf, moby.buildkit.v1.StatusResponse; names and numbers of the fields are those of BuildKit's
api/services/control/control.proto. Only the fields used here are described; protobuf skips the others.
"""

from __future__ import annotations

import base64
import codecs
from typing import TYPE_CHECKING, Any, Final

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

from rocmimg.engine.events import BuildWarning, Event, StepFinished, StepLog, StepStarted, Transfer

if TYPE_CHECKING:
    from collections.abc import Iterator

_FIELDS: Final[dict[str, dict[str, tuple[int, str]]]] = {
    "Time": {"seconds": (1, "int64"), "nanos": (2, "int32")},
    "Vertex": {
        "digest": (1, "string"),
        "name": (3, "string"),
        "cached": (4, "bool"),
        "started": (5, "Time"),
        "completed": (6, "Time"),
        "error": (7, "string"),
    },
    "VertexStatus": {
        "ID": (1, "string"),
        "vertex": (2, "string"),
        "name": (3, "string"),
        "current": (4, "int64"),
        "total": (5, "int64"),
    },
    "VertexLog": {"vertex": (1, "string"), "timestamp": (2, "Time"), "stream": (3, "int64"), "msg": (4, "bytes")},
    "VertexWarning": {"vertex": (1, "string"), "short": (3, "bytes"), "detail": (4, "bytes*"), "url": (5, "string")},
    "StatusResponse": {
        "vertexes": (1, "Vertex*"),
        "statuses": (2, "VertexStatus*"),
        "logs": (3, "VertexLog*"),
        "warnings": (4, "VertexWarning*"),
    },
}


def _message_class() -> Any:
    proto = descriptor_pb2.FileDescriptorProto(name="rocmimg/buildkit.proto", package="rocmimg", syntax="proto3")
    scalars = {"int64", "int32", "string", "bool", "bytes"}
    field_type = descriptor_pb2.FieldDescriptorProto
    for message, fields in _FIELDS.items():
        described = proto.message_type.add(name=message)
        for name, (number, kind) in fields.items():
            bare = kind.rstrip("*")
            label = field_type.LABEL_REPEATED if kind.endswith("*") else field_type.LABEL_OPTIONAL
            field = described.field.add(name=name, number=number, label=label)
            if bare in scalars:
                field.type = field_type.Type.Value(f"TYPE_{bare.upper()}")
            else:
                field.type, field.type_name = field_type.TYPE_MESSAGE, f".rocmimg.{bare}"
    pool = descriptor_pool.DescriptorPool()
    pool.Add(proto)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("rocmimg.StatusResponse"))


_StatusResponse: Final = _message_class()


def _seconds(time: Any) -> float:
    return float(time.seconds + time.nanos / 1e9)


class _Lines:
    """Whole lines out of the pieces in which a step's output arrives."""

    def __init__(self) -> None:
        self._decode = codecs.getincrementaldecoder("utf-8")("replace")
        self._rest = ""

    def feed(self, data: bytes, *, final: bool = False) -> Iterator[str]:
        *whole, self._rest = (self._rest + self._decode.decode(data, final)).split("\n")
        for line in whole:
            yield line.removesuffix("\r")
        if final and self._rest:
            yield self._rest
            self._rest = ""


class Trace:
    """The state of one build's progress: which step runs, which lines are open."""

    def __init__(self) -> None:
        self._seen: dict[str, tuple[Any, Any]] = {}
        self._lines: dict[tuple[str, int], _Lines] = {}

    def decode(self, aux: str) -> Iterator[Event]:
        """Events of one ``moby.buildkit.trace`` frame (base64)."""
        frame = _StatusResponse.FromString(base64.b64decode(aux))
        for log in sorted(frame.logs, key=lambda log: _seconds(log.timestamp)):
            yield from self._log(log)
        for vertex in frame.vertexes:
            yield from self._vertex(vertex)
        for status in frame.statuses:
            yield Transfer(
                id=status.ID,
                what=status.name or status.ID,
                current=status.current,
                total=status.total,
                digest=status.vertex,
            )
        for warning in frame.warnings:
            detail = "\n".join(line.decode(errors="replace") for line in warning.detail)
            short = warning.short.decode(errors="replace")
            yield BuildWarning(digest=warning.vertex, text=short, detail=detail, url=warning.url)

    def close(self) -> Iterator[Event]:
        """Lines that never ended."""
        for digest in dict.fromkeys(digest for digest, _ in self._lines):
            yield from self._rest(digest, 0.0)

    def _rest(self, digest: str, timestamp: float) -> Iterator[Event]:
        for key in [key for key in self._lines if key[0] == digest]:
            for text in self._lines.pop(key).feed(b"", final=True):
                yield StepLog(digest=digest, stream=key[1], text=text, timestamp=timestamp)

    def _log(self, log: Any) -> Iterator[Event]:
        lines = self._lines.setdefault((log.vertex, log.stream), _Lines())
        for text in lines.feed(log.msg):
            yield StepLog(digest=log.vertex, stream=log.stream, text=text, timestamp=_seconds(log.timestamp))

    def _vertex(self, vertex: Any) -> Iterator[Event]:
        started = _seconds(vertex.started) if vertex.HasField("started") else None
        completed = _seconds(vertex.completed) if vertex.HasField("completed") else None
        before = self._seen.get(vertex.digest, (None, None))
        self._seen[vertex.digest] = (started or before[0], completed or before[1])
        if started is not None and started != before[0]:
            yield StepStarted(digest=vertex.digest, name=vertex.name, cached=vertex.cached, started=started)
        if completed is not None and completed != before[1]:
            yield from self._rest(vertex.digest, completed)
            begun = started if started is not None else completed
            yield StepFinished(
                digest=vertex.digest,
                name=vertex.name,
                started=begun,
                seconds=max(0.0, completed - begun),
                cached=vertex.cached,
                error=vertex.error,
            )
