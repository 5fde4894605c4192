"""Child processes that may do anything: print, end, hang, write without end. What they cost is bounded."""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import signal
import subprocess
import time
from typing import Any, Mapping, NamedTuple, Sequence

_OUTPUT_LIMIT = 1 << 20
_ANSWER_LIMIT = 1 << 26
_CHUNK = 1 << 16


class Ended(NamedTuple):
    """How a child ended."""

    code: int
    """Negative: the signal."""
    stdout: bytes
    stderr: bytes
    answer: bytes
    """What came by the pipe of its own."""
    why: str
    """Why it was ended from here; empty where it ended by itself."""
    seconds: float

    def said(self) -> str:
        """In words; empty where it ended well."""
        if self.why:
            return self.why
        if self.code == 0:
            return ""
        how = f"signal {-self.code}" if self.code < 0 else f"exit code {self.code}"
        last = " | ".join(self.stderr.decode("utf-8", "replace").strip().splitlines()[-3:])
        return f"the interpreter ended with {how}" + (f": {last}" if last else "")


def run(
    argv: Sequence[str],
    limit: float,
    *,
    job: bytes = b"",
    cwd: str | None = None,
    env: Mapping[str, str] | None = None,
) -> Ended:
    """Run ``argv`` and the numbers of two files: a pipe for its answer and its job. After ``limit`` seconds its whole
    session is ended. Neither is standard input or output, which belong to whatever the image runs at start."""
    began = time.monotonic()
    reading, writing = os.pipe()
    given = os.memfd_create("job")
    os.write(given, job)
    os.lseek(given, 0, os.SEEK_SET)
    try:
        process = subprocess.Popen(
            [*argv, str(writing), str(given)],
            cwd=cwd,
            env=dict(os.environ if env is None else env),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            pass_fds=(writing, given),
            start_new_session=True,
        )
    except BaseException:
        os.close(reading)
        raise
    finally:
        os.close(writing)
        os.close(given)
    assert process.stdout  # noqa: S101
    assert process.stderr  # noqa: S101
    streams = {process.stdout.fileno(): bytearray(), process.stderr.fileno(): bytearray(), reading: bytearray()}
    limits = dict.fromkeys(streams, _OUTPUT_LIMIT)
    limits[reading] = _ANSWER_LIMIT
    why = _collect(process, streams, limits, began + limit)
    if why == "late":
        why = f"hangs: ended after {limit:.0f} s"
    _end(process)
    out, err, answer = (bytes(data) for data in streams.values())
    process.stdout.close()
    process.stderr.close()
    os.close(reading)
    return Ended(process.returncode, out, err, answer, why, time.monotonic() - began)


def _collect(
    process: subprocess.Popen[bytes], streams: Mapping[int, bytearray], limits: Mapping[int, int], deadline: float
) -> str:
    """Read until the child has ended and what it wrote is read; why it must be ended otherwise."""
    with selectors.DefaultSelector() as waiting:
        for number in streams:
            waiting.register(number, selectors.EVENT_READ)
        while waiting.get_map():
            left = deadline - time.monotonic()
            if left <= 0:
                return "late"
            # What it started may hold the pipes open when it is long gone: hence the look every now and then. It comes
            # before the pipes are looked at: what it writes right before its end is then still read.
            ended = process.poll() is not None
            ready = waiting.select(0 if ended else min(left, 0.2))
            for key, _ in ready:
                data = os.read(key.fd, _CHUNK)
                if not data:
                    waiting.unregister(key.fd)
                    continue
                streams[key.fd].extend(data)
                if len(streams[key.fd]) > limits[key.fd]:
                    return f"writes without end: ended after {limits[key.fd] >> 20} MiB"
            if not ready and ended:
                return ""
        try:
            process.wait(max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            return "late"
    return ""


def _end(process: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def ask(
    python: str,
    source: str,
    job: Any,
    limit: float,
    *,
    flags: Sequence[str] = (),
    cwd: str | None = None,
    env: Mapping[str, str] | None = None,
) -> tuple[Ended, dict[str, Any]]:
    """How a fresh interpreter that runs ``source`` ended, and its answer or {"error": ...}."""
    try:
        ended = run([python, *flags, "-c", source], limit, job=json.dumps(job).encode(), cwd=cwd, env=env)
    except OSError as error:
        said = f"it cannot be started: {error}"
        return Ended(127, b"", b"", b"", said, 0.0), {"error": said}
    try:
        return ended, json.loads(ended.answer)
    except ValueError:
        return ended, {"error": ended.said() or "the interpreter ended before it answered"}
