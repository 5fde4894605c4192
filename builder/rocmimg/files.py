"""Files beside an answer: logs, results and reports. One that cannot be written costs itself and nothing else."""

from __future__ import annotations

import contextlib
import fcntl
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

from rocmimg.errors import DiskFullError
from rocmimg.terminal import harmless

_SIDE_BY_SIDE = 100


class Unwritten:
    """What could not be written: told at the end, and by the exit code where nothing worse is to be told."""

    def __init__(self) -> None:
        self.notes: list[str] = []

    @contextlib.contextmanager
    def instead_of(self, what: str, path: Path | str) -> Iterator[None]:
        """Note an OSError of the block, and go on."""
        try:
            yield
        except OSError as error:
            self.note(what, path, error)

    def note(self, what: str, path: Path | str, error: OSError | str) -> None:
        """Note that ``path`` was not written, from any thread."""
        why = error if isinstance(error, str) else error.strerror or str(error)
        self.notes.append(f"{what} {path} could not be written: {why}")

    def exit_code(self, code: int) -> int:
        """The exit code of a verb that would have ended with ``code``."""
        return code or (DiskFullError.exit_code if self.notes else 0)


class LogFile:
    """A log that another process of ours does not write to, and that takes no harm from a full or read-only disk."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.error = ""
        """Why it ends where it ends; empty where it is whole."""
        self._file: TextIO | None = None
        with self._kept():
            path.parent.mkdir(parents=True, exist_ok=True)
            self.path, self._file = _opened(path)

    def line(self, text: str) -> None:
        """Add a line, made harmless; whoever reads along has it at once."""
        with self._kept():
            if self._file:
                self._file.write(f"{harmless(text)}\n")

    def close(self) -> None:
        """End it."""
        file, self._file = self._file, None
        with self._kept():
            if file:
                file.close()

    @contextlib.contextmanager
    def _kept(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            self.error = self.error or error.strerror or str(error)
            file, self._file = self._file, None
            with contextlib.suppress(OSError):
                if file:
                    file.close()


def _opened(path: Path) -> tuple[Path, TextIO]:
    """``path``, or a name beside it where another process writes to that now."""
    for number in range(1, _SIDE_BY_SIDE):
        mine = path if number == 1 else path.with_name(f"{path.stem}.{number}{path.suffix}")
        file = mine.open("a", buffering=1, encoding="utf-8")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.close()
            continue
        except OSError:  # a file system without locks
            pass
        file.truncate(0)
        return mine, file
    raise OSError(f"{_SIDE_BY_SIDE} others write to it")
