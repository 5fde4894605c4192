"""The pytest process of one image. It starts and collects while the probe runs, then waits for its order."""

from __future__ import annotations

import json
import os
import subprocess
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO, Final, Self

from rocmimg.checks.suites import environment
from rocmimg.files import LogFile

LIMIT_S: Final = 3600
"""For all checks of one image together; each command in the container has its own, much smaller limit."""


STARTED: Final = "started check"
"""Key of the lines that say which check begins."""
SLOW_S: Final = 1.0
"""A check that takes longer is shown while it runs."""
_LOOK_S: Final = 0.2
_REST_S: Final = 5
"""For its last lines: a process that it left behind may keep the pipe open."""


class Progress:
    """Follows the lines that the suite writes: tells once of each check that takes its time, and how each ended."""

    def __init__(self, path: Path, tell: Callable[[str], None], ended: Callable[[str], None]) -> None:
        self._path, self._tell, self._ended = path, tell, ended
        self._begun = ""
        self._read = 0
        self._current, self._since = "", 0.0

    def look(self) -> None:
        """Read what was written since the last time."""
        try:
            with self._path.open("rb") as stream:
                stream.seek(self._read)
                new = stream.read()
        except FileNotFoundError:
            return
        whole = new[: new.rfind(b"\n") + 1]
        self._read += len(whole)
        for line in whole.splitlines():
            record = json.loads(line)
            self._current, self._since = record.get(STARTED, ""), time.monotonic()
            if self._begun and record.get("id") == self._begun:
                self._ended(f"{self._begun} {record['status'].replace('-', ' ')}")
            self._begun = self._current
        if self._current and time.monotonic() - self._since > SLOW_S:
            self._tell(self._current)
            self._current = ""


class PytestProcess:
    """A started pytest; use it in a ``with`` block, at whose end it is gone."""

    def __init__(self, command: Sequence[str], log: LogFile) -> None:
        reading, self._ready = os.pipe()
        self._process = subprocess.Popen(
            [*command, f"--rocmimg-ready={reading}"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=environment(os.environ),
            pass_fds=(reading,),
            text=True,
            errors="replace",
        )
        os.close(reading)
        # Through a pipe: pytest would end at the first line that a full disk does not take.
        self._copy = threading.Thread(target=_copy, args=(self._process.stdout, log), daemon=True)
        self._copy.start()

    def judge(self, look: Callable[[], None]) -> str:
        """Let it go, now that its order is written; how it ended where that was not of its own accord.

        ``look`` is called now and then while it runs, and at its end.
        """
        os.write(self._ready, b"\n")
        deadline = time.monotonic() + LIMIT_S
        while True:
            try:
                code = self._process.wait(_LOOK_S)
                break
            except subprocess.TimeoutExpired:
                if time.monotonic() > deadline:
                    return f"the suite hangs: ended after {LIMIT_S} s"
                look()
        look()
        return "" if code in (0, 1) else f"pytest ended with exit code {code}"

    def stop(self) -> None:
        """End it, from another thread."""
        self._process.terminate()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._ready)
        self._process.kill()
        self._process.wait()
        self._copy.join(_REST_S)


def _copy(output: IO[str], log: LogFile) -> None:
    with output:
        for line in output:
            log.line(line.rstrip("\n"))
