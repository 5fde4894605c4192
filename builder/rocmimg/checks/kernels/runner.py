"""Runs a script that launches kernels, and makes a result of whatever becomes of it: answers, a crash, a hang."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from rocmimg.engine import ExecResult

Execute = Callable[[Sequence[str]], ExecResult]
"""Runs a command where the kernels are to run, with a limit of its own."""

_WATCHDOG: Final = b"Timeout ("
"""What Python's faulthandler writes when it ends its process."""
_LAST: Final = 1500


@dataclass(frozen=True, slots=True, kw_only=True)
class KernelResult:
    """What became of one kernel."""

    id: str
    status: Literal["passed", "failed", "not-run", "not-applicable"]
    reason: str = ""
    error: float | None = None
    """Relative, where there was an answer."""
    tolerance: float | None = None
    device: str = ""
    seconds: float = 0.0
    hung: bool = False
    crashed: bool = False
    output: str = ""
    """The last words of a process that crashed or hung."""


@dataclass(slots=True)
class KernelRunner:
    """Runs all of ``ids`` with one process, or with more where one does not survive."""

    execute: Execute
    argv: Sequence[str]
    """The script takes ``--only ID``, repeated, and speaks JSON lines as run_pack.py describes."""
    ids: Sequence[str]
    device: dict[str, Any] = field(default_factory=dict)
    """What the script said of the device."""

    def results(self) -> Iterator[KernelResult]:
        """One result an id, as they come in from each process."""
        left = list(self.ids)
        while left:
            done = self.execute([*self.argv, *(word for one in left for word in ("--only", one))])
            told = [result for result in self._told(done) if result.id in left]
            yield from told
            left = [one for one in left if one not in {result.id for result in told}]
            if not told:
                # A script that says nothing at all is broken, and so is what it was to show.
                yield from (
                    KernelResult(id=one, status="failed", reason=_end(done), output=_last(done)) for one in left
                )
                return
            if told[-1].hung:
                why = f"{told[-1].id} hung on the GPU before it"
                yield from (KernelResult(id=one, status="not-run", reason=why) for one in left)
                return

    def _told(self, done: ExecResult) -> Iterator[KernelResult]:
        current = ""
        for line in done.stdout.decode(errors="replace").splitlines():
            event = _event(line)
            match event.get("event"):
                case "device":
                    self.device = {key: value for key, value in event.items() if key != "event"}
                case "start":
                    current = event["id"]
                case "result":
                    current = ""
                    yield _result(event)
        if current:
            hung = _hung(done)
            yield KernelResult(
                id=current,
                status="failed",
                reason=_end(done),
                seconds=done.seconds,
                hung=hung,
                crashed=not hung,
                output=_last(done),
            )


def _event(line: str) -> dict[str, Any]:
    """One line of the script's; libraries print other things beside it."""
    try:
        event = json.loads(line)
    except ValueError:
        return {}
    return event if isinstance(event, dict) else {}


def _result(event: dict[str, Any]) -> KernelResult:
    known = {key: value for key, value in event.items() if key in KernelResult.__slots__ and value is not None}
    return KernelResult(**{**known, "output": event.get("trace", "")[-_LAST:]})


def _hung(done: ExecResult) -> bool:
    return done.timed_out or any(line.startswith(_WATCHDOG) for line in done.stderr.splitlines())


def _end(done: ExecResult) -> str:
    if _hung(done):
        return f"hangs: ended after {done.seconds:.0f} s"
    code = done.exit_code - 128 if done.exit_code > 128 else -done.exit_code  # noqa: PLR2004 - as shells count
    try:
        return f"the process died of {signal.Signals(code).name}"
    except ValueError:
        return f"the process ended with exit code {done.exit_code}"


def _last(done: ExecResult) -> str:
    return done.stderr.decode(errors="replace").strip()[-_LAST:]
