"""The live view in real terminals of several sizes: what is drawn is read back from an emulated screen."""

from __future__ import annotations

import contextlib
import fcntl
import io
import os
import pty
import re
import select
import struct
import subprocess
import sys
import termios
import textwrap
import time
from collections.abc import Iterator

import pyte
import pytest
from rich.console import Console

from rocmimg.builds.live import LiveView
from rocmimg.engine import StepLog, StepStarted

LIMIT = 60
WIDTHS = (60, 120)
LONG_ID = "rocm720-mori-integration-gfx942-long-variant-name"
TAG = f"registry.example.com/some/project/with/levels:v0.5.10-rocm720-{LONG_ID}-mi30x"
HEAD = f"""
import sys, time
from rocmimg.builds.live import live_view
from rocmimg.builds.results import CellResult
from rocmimg.engine import StepFinished, StepLog, StepStarted, Transfer
from rocmimg.errors import BuildError
from rocmimg.terminal import safe_streams

LONG_ID, TAG = {LONG_ID!r}, {TAG!r}

def begun(digest, name):
    return StepStarted(digest=digest, name=name, cached=False, started=time.time())

def over(digest, name, error=""):
    return StepFinished(digest=digest, name=name, started=time.time() - 1, seconds=1, cached=False, error=error)

def wrote(digest, text):
    return StepLog(digest=digest, stream=1, text=text, timestamp=time.time())

def pause():
    # Two frames later everything is drawn; then whoever reads the terminal is told, and answers.
    time.sleep(0.6)
    print("ready", flush=True)
    sys.stdin.readline()
"""


class Terminal:
    """A program in a terminal of ``columns`` x ``lines``."""

    def __init__(self, code: str, columns: int, lines: int = 24, **env: str) -> None:
        self.screen = pyte.HistoryScreen(columns, lines, history=1000, ratio=1.0)
        self._stream = pyte.ByteStream(self.screen)
        self._closed = False
        self._master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
        # pytest's workers are told of a width that is not this terminal's.
        known = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "LINES", "NO_COLOR")}
        program = f"{HEAD}\nwith safe_streams():\n{textwrap.indent(textwrap.dedent(code), '    ')}"
        self.process = subprocess.Popen(
            [sys.executable, "-c", program],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=slave,
            env=known | {"TERM": "xterm-256color"} | env,
        )
        os.close(slave)

    def ready(self) -> str:
        """What is on the screen when the program pauses."""
        assert self._until_told() == b"ready\n", self.text
        return self.text

    def go_on(self) -> None:
        """End the pause."""
        assert self.process.stdin
        self.process.stdin.write(b"\n")
        self.process.stdin.flush()

    def end(self) -> str:
        """All that the program left on the terminal, what scrolled away included."""
        assert self._until_told() == b""
        assert self.process.wait(LIMIT) == 0, self.text
        top = ["".join(line[x].data for x in range(self.screen.columns)) for line in self.screen.history.top]
        return "\n".join(line.rstrip() for line in (*top, *self.screen.display))

    @property
    def text(self) -> str:
        return "\n".join(line.rstrip() for line in self.screen.display)

    def _until_told(self) -> bytes:
        """Read the terminal until the program says something, or ends; a full terminal would stop it."""
        assert self.process.stdout
        pipe, deadline, said = self.process.stdout.fileno(), time.monotonic() + LIMIT, b""
        while time.monotonic() < deadline:
            found = select.select([pipe] if self._closed else [self._master, pipe], [], [], 1)[0]
            if pipe in found:
                more = os.read(pipe, 100)
                said += more
                if not more or said.endswith(b"\n"):
                    self._feed_what_is_there()
                    return said
            elif found:
                self._feed()
        raise TimeoutError(self.text)

    def _feed_what_is_there(self) -> None:
        """Not what is drawn meanwhile: that has no end."""
        for _ in range(64):
            if self._closed or not select.select([self._master], [], [], 0.05)[0]:
                return
            self._feed()

    def _feed(self) -> None:
        try:
            self._stream.feed(os.read(self._master, 65536))
        except OSError:  # the other end is closed
            self._closed = True

    def close(self) -> None:
        self.process.kill()
        self.process.communicate()
        os.close(self._master)


@contextlib.contextmanager
def terminal(code: str, columns: int, lines: int = 24, **env: str) -> Iterator[Terminal]:
    """See :class:`Terminal`."""
    started = Terminal(code, columns, lines, **env)
    try:
        yield started
    finally:
        started.close()


RUN = """
with live_view() as view:
    view.planned([f"c{n}" for n in range(18)])
    for cell in ("a-gfx942", LONG_ID):
        view.started(cell, "building: no image yet")
    view.event("a-gfx942", begun("1", "[aiter 3/7] RUN make -j && \\\\\\n make install"))
    view.event("a-gfx942", begun("2", "[fast-hadamard-transform 10/12] RUN pip install ."))
    view.event("a-gfx942", begun("0", "[internal] load metadata for docker.io/x"))
    view.event("a-gfx942", wrote("1", "[17/200] Building CXX object src/a-very-long-file-name-of-a-kernel.cpp.o"))
    view.event("a-gfx942", wrote("1", "++ echo a trace of the shell"))
    view.event("a-gfx942", wrote("2", "10%\\r 20%\\r 30% of something"))
    view.event(LONG_ID, begun("3", "[base] pulling rocm/pytorch:x"))
    view.event(LONG_ID, Transfer(id="l", what="Downloading", current=12e6, total=900e6, digest="3"))
    view.finished(CellResult(id="u-gfx942", status="up-to-date", seconds=0.2, started=1.0))
    pause()
    error = BuildError("[mori 2/3] RUN cmake failed", why="exit code 1")
    view.started("bad-gfx950", "building")
    view.finished(CellResult(
        id="bad-gfx950", status="failed", seconds=61, started=1.0, error=error, tags=(TAG,),
        last_lines=("CMake Error: no such package MPI", f"looked for {TAG}"),
    ))
    pause()
"""


@pytest.mark.parametrize("columns", WIDTHS)
def test_the_screen_of_a_run(columns: int) -> None:
    with terminal(RUN, columns) as shown:
        first = shown.ready().splitlines()
        told = " ".join(first)
        assert "18 cells: 15 queued, 2 running, 1 done" in told
        assert "u-gfx942 up-to-date" in first[0]
        assert any(LONG_ID in line for line in first)
        (row,) = [line for line in first if "aiter 3/7" in line]
        assert re.search(r"aiter 3/7 +0:00  \[17/200\] Build", row)
        assert "trace of the shell" not in told
        assert any(re.search(r"fast-hadamard-transform 10/12 +0:00  30% of so", line) for line in first)
        assert any(re.search(r"base +0:00  Downloading", line) for line in first)
        assert "load metadata" not in told
        shown.go_on()
        second = shown.ready()
        # A terminal wraps what is too long; no line is broken by us.
        flat = second.replace("\n", "")
        assert "bad-gfx950 failed in 61.0s: [mori 2/3] RUN cmake failed; exit code 1" in flat
        assert f"looked for {TAG}" in flat
        assert "14 queued, 2 running, 1 done, 1 failed" in " ".join(second.split())
        shown.go_on()
        left = shown.end()
        assert "queued" not in left
        assert "bad-gfx950 failed" in left


MANY = """
with live_view() as view:
    view.planned([f"c{n}" for n in range(70)])
    for n in range(12):
        view.started(f"cell-{n}", "building")
        for stage in range(6):
            view.event(f"cell-{n}", begun(f"{n}/{stage}", f"[stage{stage} 1/2] RUN x"))
            view.event(f"cell-{n}", wrote(f"{n}/{stage}", f"line of cell {n} stage {stage}"))
    for n in range(12, 30):
        view.finished(CellResult(id=f"cell-{n}", status="built", seconds=1, started=1.0))
    pause()
    for n in range(12, 40):
        view.started(f"late-{n}", "building")
    pause()
"""


def test_rows_that_run_never_scroll_away() -> None:
    with terminal(MANY, 100, 24) as shown:
        first = shown.ready()
        assert "70 cells: 40 queued, 12 running, 18 done" in first
        for number in range(12):
            assert re.search(rf"cell-{number}\b", first), f"cell-{number}"
        assert "line of cell 0 stage 0" in first, "what runs longest is shown"
        assert re.search(r"cell-11 .*6 running", first)
        shown.go_on()
        second = shown.ready()
        assert "40 running" in second
        assert "cell-0 " in second
        assert re.search(r"and \d+ more cells", second)
        shown.go_on()
        left = shown.end()
        assert [line for line in left.splitlines() if "line of cell" in line] == []
        assert len(re.findall(r"cell-\d+ built", left)) == 18


@pytest.mark.parametrize("columns", [60, 80, 120, 200])
@pytest.mark.parametrize("lines", [3, 10, 24, 100])
@pytest.mark.parametrize("cells", [0, 1, 7, 30])
def test_a_frame_fits_and_names_stay_whole(columns: int, lines: int, cells: int) -> None:
    screen = Console(file=io.StringIO(), width=columns, height=lines, force_terminal=True, color_system=None)
    view = LiveView(screen)
    view.planned(map(str, range(cells)))
    for number in range(cells):
        view.started(f"{LONG_ID}-{number}", "building: no image yet")
        for stage in range(3):
            name = f"[fast-hadamard-transform-{stage} 10/12] RUN x"
            view.event(f"{LONG_ID}-{number}", StepStarted(digest=name, name=name, cached=False, started=0))
            view.event(f"{LONG_ID}-{number}", StepLog(digest=name, stream=1, text="word " * 60, timestamp=0))
    rows = ["".join(part.text for part in row).rstrip() for row in screen.render_lines(view, pad=False)]
    assert len(rows) < max(lines, 3)
    assert all(len(row) <= columns for row in rows)
    whole = [row for row in rows if re.search(rf"{LONG_ID}-\d+  ", row)]
    assert len(whole) == len([row for row in rows if "rocm720" in row])
    stages = [row for row in rows if "word" in row]
    assert all(re.match(r"    fast-hadamard-transform-\d 10/12  0:00  word", row) for row in stages)
    if lines == 100 and cells == 7:
        assert (len(whole), len(stages)) == (7, 21)


def test_a_terminal_without_unicode() -> None:
    with terminal(RUN, 80, PYTHONIOENCODING="ascii") as shown:
        assert "+ u-gfx942 up-to-date" in shown.ready()
        shown.go_on()
        assert "x bad-gfx950 failed" in shown.ready()
        shown.go_on()
        shown.end()


def test_verbose_prints_every_line_above() -> None:
    code = """
    with live_view(verbose=True) as view:
        view.planned(["a"])
        view.started("a", "building")
        view.event("a", begun("1", "[x 1/2] RUN x"))
        for n in range(50):
            view.event("a", wrote("1", f"line {n}"))
        pause()
    """
    with terminal(code, 80) as shown:
        assert "1 cell: 0 queued, 1 running" in shown.ready()
        shown.go_on()
        left = shown.end()
        assert [line for line in left.splitlines() if line] == [f"a [x 1/2] line {n}" for n in range(50)]
