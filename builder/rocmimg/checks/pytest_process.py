"""The pytest process of one image. It starts and collects while the probe runs, then waits for its order."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Final, Self

from rocmimg.checks.suites import environment

LIMIT_S: Final = 3600
"""For all checks of one image together; each command in the container has its own, much smaller limit."""


class PytestProcess:
    """A started pytest; use it in a ``with`` block, at whose end it is gone."""

    def __init__(self, command: Sequence[str], log: Path) -> None:
        log.parent.mkdir(parents=True, exist_ok=True)
        reading, self._ready = os.pipe()
        with log.open("wb") as output:
            self._process = subprocess.Popen(
                [*command, f"--rocmimg-ready={reading}"],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env=environment(os.environ),
                pass_fds=(reading,),
            )
        os.close(reading)

    def judge(self) -> str:
        """Let it go, now that its order is written; how it ended where that was not of its own accord."""
        os.write(self._ready, b"\n")
        try:
            code = self._process.wait(LIMIT_S)
        except subprocess.TimeoutExpired:
            return f"the suite hangs: ended after {LIMIT_S} s"
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
