"""`rocmimg build` in a terminal of 60 columns, and whose names it takes."""

import fcntl
import json
import os
import pty
import select
import struct
import subprocess
import sys
import termios
import time

import pyte
import pytest

TAG = "rocmimg-test/app:dev-good-with-a-long-name-mi30x"
CELL = "good-with-a-long-name-gfx942"
MATRIX = """
    defaults: {image: rocmimg-test/app, base: "rocmimg-test/base:1"}
    targets:
      good-with-a-long-name: {gpu_archs: [gfx942], components: {fine: {}}}
      bad: {gpu_archs: [gfx942], components: {broken: {}}}
      onbad: {gpu_archs: [gfx942], base: {cell: bad}, components: {fine: {}}}
"""


@pytest.fixture
def sample(project, small_base):
    made = project(MATRIX)
    made.recipe("fine", "RUN echo fine > /fine\n")
    made.recipe("broken", "RUN echo compiling && echo no such header >&2 && exit 7\n")
    return made


def in_terminal(project, *args, columns=60, answer=""):
    """`rocmimg ARGS` with a terminal as all its streams: the exit code, and the lines that it left there."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    screen = pyte.HistoryScreen(columns, 24, history=1000, ratio=1.0)
    stream = pyte.ByteStream(screen)
    command = [sys.executable, "-m", "rocmimg", *args]
    known = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "LINES", "NO_COLOR")}
    env = known | {"TERM": "xterm-256color"}
    with subprocess.Popen(command, cwd=project.folder, stdin=slave, stdout=slave, stderr=slave, env=env) as process:
        os.close(slave)
        deadline = time.monotonic() + 200
        while time.monotonic() < deadline:
            if not select.select([master], [], [], 1)[0]:
                continue
            try:
                stream.feed(os.read(master, 65536))
            except OSError:  # the other end is closed
                break
            if answer and "[y/N]" in "".join(screen.display):
                os.write(master, f"{answer}\n".encode())
                answer = ""
        else:
            process.kill()
    os.close(master)
    top = ["".join(line[x].data for x in range(columns)) for line in screen.history.top]
    return process.returncode, [line.rstrip() for line in (*top, *screen.display)]


def test_a_narrow_terminal_shows_what_became_of_each_cell(sample):
    code, lines = in_terminal(sample, "build")
    assert code == 7
    text = "\n".join(lines)
    assert f"✓ {CELL} built in" in text
    assert "✗ bad-gfx942 failed in" in text
    assert "- onbad-gfx942 never started: its base bad-gfx942 was not" in text
    assert "    no such header" in text, "the reason, when it happens"
    assert "queued" not in text, "what was redrawn is gone"
    block = lines[lines.index(CELL) :]
    assert any(line.split() == ["tags", TAG] for line in block), text
    assert any(line.split()[:3] == ["onbad-gfx942", "never", "started"] for line in lines), text


def test_a_foreign_image_keeps_its_name_unless_somebody_says_otherwise(sample, host_engine, small_base):
    host_engine.tag(small_base, TAG)
    theirs = host_engine.image(TAG).id
    done = sample.run("build", CELL)
    assert done.returncode == 21
    assert f"{TAG} names {theirs[7:19]}: not built by rocmimg; a build of {CELL} would take the name" in done.stderr
    assert "--force" in done.stderr
    code, lines = in_terminal(sample, "build", CELL, answer="n")
    assert (code, host_engine.image(TAG).id) == (21, theirs), lines
    code, lines = in_terminal(sample, "build", CELL, answer="y")
    assert code == 0, lines
    ours = host_engine.image(TAG).id
    assert ours != theirs
    assert host_engine.image(theirs), "it stays, without the name"
    host_engine.tag(theirs, TAG)
    assert sample.run("build", CELL, "--force").returncode == 0
    assert host_engine.image(TAG).labels["io.rocmimg.cell"] == CELL


def test_what_no_cell_needs_any_more_goes(sample, host_engine):
    sample.run("build", CELL)
    first = host_engine.image(TAG).id
    sample.run("prune", "--local", "--yes")  # what tests before this one left
    assert host_engine.image(TAG).id == first
    assert sample.json("prune", "--local") == []
    sample.recipe("fine", "RUN echo finer > /fine\n")
    sample.run("build", CELL)
    (row,) = sample.json("prune", "--local")
    assert (row["image"], row["cell"], row["reason"]) == (first, CELL, "a later build took its name")
    assert host_engine.image(first), "without --yes nothing goes"
    (sample.folder / "images.yaml").write_text(
        (sample.folder / "images.yaml").read_text().replace("good-with-a-long-name", "renamed")
    )
    rows = json.loads(sample.run("prune", "--local", "--yes", "--json").stdout)
    assert {row["reason"] for row in rows} <= {"no cell has its name", "a later build took its name"}
    assert host_engine.image(TAG) is None
    assert "nothing to remove" in sample.run("prune", "--local", "--yes").stdout
