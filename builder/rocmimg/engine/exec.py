"""Commands in a container, with a time limit that holds.

``POST /exec/ID/start`` is used without an upgrade of the connection: the answer is then an ordinary body that ends with
the command. docker-py's own call upgrades and reads the raw socket, where output that came along with the
header is lost in the header's buffer; and it has no time limit.
"""

from __future__ import annotations

import contextlib
import struct
import threading
import time
import uuid
from typing import TYPE_CHECKING, Final

import requests
from docker.errors import DockerException
from urllib3.exceptions import HTTPError, ReadTimeoutError

from rocmimg.engine.api import explained
from rocmimg.engine.context import ContextFile
from rocmimg.engine.tar import stream as tar_stream
from rocmimg.engine.types import ExecResult

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rocmimg.engine.api import Api

_MARK: Final = "ROCMIMG_EXEC"
_KILL_AFTER_S: Final = 2
_GRACE_S: Final = 10
"""How long after the limit inside the container the limit outside it acts: a busy engine starts a command seconds late,
and the clock inside starts with the command."""
_KILLED: Final = 137
_SIDE_LIMIT_S: Final = 60
_NOT_STARTED: Final = b"OCI runtime exec failed"
"""What the engine writes to the output in place of the command's own."""
_FRAME: Final = struct.Struct(">BxxxL")

# Every process that carries the mark in its environment, except the one that looks.
_SWEEP: Final = (
    'for p in /proc/[0-9]*; do n=${p#/proc/}; [ "$n" = $$ ] || '
    'if grep -q "$1" "$p/environ" 2>/dev/null; then kill -9 "$n" 2>/dev/null; fi; done; :'
)
_WITH_STDIN: Final = 'f=$1; shift; exec <"$f" || exit 126; rm -f "$f" 2>/dev/null; exec "$@"'


class Executor:
    """Runs the commands of one container."""

    def __init__(self, api: Api, container_id: str) -> None:
        self._api = api
        self._id = container_id
        self._lock = threading.Lock()
        self._timeout: str | None = None

    def run(
        self,
        argv: Sequence[str],
        *,
        timeout: float | None,
        workdir: str | None,
        env: Mapping[str, str],
        user: str | None,
        stdin: bytes | None,
        output_limit: int | None = None,
    ) -> ExecResult:
        mark = uuid.uuid4().hex
        command = list(argv)
        if stdin is not None:
            command = self._with_stdin(command, stdin, mark)
        if timeout is not None and (program := self._timeout_program()):
            command = [program, "-k", str(_KILL_AFTER_S), str(timeout), *command]
        marked = {**env, _MARK: mark}
        began = time.monotonic()
        code, out, err, cut = self._start(
            command,
            None if timeout is None else timeout + _GRACE_S,
            environment=marked,
            workdir=workdir,
            user=user or "",
            most=output_limit,
        )
        seconds = time.monotonic() - began
        flooded = output_limit is not None and len(out) + len(err) > output_limit
        late = not flooded and timeout is not None and (cut or (seconds >= timeout and code in {124, 137, 143}))
        if late or flooded:
            self._sweep(mark)
        return ExecResult(
            exit_code=_KILLED if late or flooded else code,
            stdout=out,
            stderr=err,
            timed_out=late,
            flooded=flooded,
            seconds=seconds,
        )

    def _start(
        self,
        command: list[str],
        limit: float | None,
        *,
        environment: Mapping[str, str] | None = None,
        workdir: str | None = None,
        user: str = "",
        most: int | None = None,
    ) -> tuple[int, bytes, bytes, bool]:
        client = self._api.client
        with explained(f"cannot run {command[0]} in the container"):
            made = client.exec_create(
                self._id, command, environment=dict(environment or {}), workdir=workdir, user=user
            )
            exec_id = made["Id"]
            cut = threading.Event()
            try:
                response = client.post(
                    self._api.url(f"/exec/{exec_id}/start"),
                    json={"Detach": False, "Tty": False},
                    stream=True,
                    timeout=(_SIDE_LIMIT_S, limit),
                )
            except requests.ReadTimeout:
                return _KILLED, b"", b"", True
            with contextlib.closing(response):
                if response.status_code >= requests.codes.bad_request:
                    return _not_started(response)
                data = _read(response, limit, cut, most)
            out, err = _split(data)
            if out.startswith(_NOT_STARTED):
                out, err = b"", out
            if cut.is_set() or (most is not None and len(out) + len(err) > most):
                return _KILLED, out, err, True
            return self._exit_code(exec_id), out, err, False

    def _exit_code(self, exec_id: str) -> int:
        # The output can end a moment before the engine has noted the exit.
        for pause in (0.0, 0.01, 0.05, 0.2, *[1.0] * _SIDE_LIMIT_S):
            time.sleep(pause)
            said = self._api.client.exec_inspect(exec_id)
            if not said["Running"] and said["ExitCode"] is not None:
                return int(said["ExitCode"])
        return _KILLED

    def _timeout_program(self) -> str:
        """Path of ``timeout`` in the container, "" where it has none; its PATH may differ from a command's."""
        with self._lock:
            if self._timeout is None:
                _, out, _, _ = self._start(["sh", "-c", "command -v timeout"], _SIDE_LIMIT_S)
                self._timeout = out.decode(errors="replace").strip()
            return self._timeout

    def _sweep(self, mark: str) -> None:
        with contextlib.suppress(DockerException, requests.RequestException):
            self._start(["sh", "-c", _SWEEP, "sh", f"{_MARK}={mark}"], _SIDE_LIMIT_S, user="0")

    def _with_stdin(self, command: list[str], stdin: bytes, mark: str) -> list[str]:
        name = f".rocmimg-stdin-{mark}"
        with explained("cannot hand standard input to the container"):
            self._api.client.put_archive(self._id, "/", tar_stream([ContextFile(path=name, data=stdin)]))
        return ["sh", "-c", _WITH_STDIN, "sh", f"/{name}", *command]


def _not_started(response: requests.Response) -> tuple[int, bytes, bytes, bool]:
    message = response.text
    if "executable file" in message or "no such file" in message:
        return 127, b"", message.encode(), False
    return 126, b"", message.encode(), False


def _read(response: requests.Response, limit: float | None, cut: threading.Event, most: int | None) -> bytes:
    def hang_up() -> None:
        cut.set()
        with contextlib.suppress(OSError, RuntimeError, ValueError):
            response.raw.shutdown()

    timer = threading.Timer(limit, hang_up) if limit is not None else None
    if timer:
        timer.daemon = True
        timer.start()
    data = bytearray()
    try:
        while chunk := response.raw.read1(1 << 16):
            data += chunk
            # With the frames around it, what is within the limit may take more than it; never twice as much.
            if most is not None and len(data) > 2 * most + _FRAME.size:
                break
    except ReadTimeoutError:
        # The socket waits for as long as the timer does: either may be first.
        if limit is None:
            raise
        cut.set()
    except (requests.RequestException, HTTPError, OSError, ValueError):
        if not cut.is_set():
            raise
    finally:
        if timer:
            timer.cancel()
    return bytes(data)


def _split(data: bytes) -> tuple[bytes, bytes]:
    """Standard output and error out of the engine's frames (1 byte stream, 3 unused, 4 length, payload)."""
    parts: dict[int, bytearray] = {1: bytearray(), 2: bytearray()}
    at = 0
    while at + _FRAME.size <= len(data):
        kind, length = _FRAME.unpack_from(data, at)
        at += _FRAME.size
        parts.get(kind, parts[1]).extend(data[at : at + length])
        at += length
    return bytes(parts[1]), bytes(parts[2])
