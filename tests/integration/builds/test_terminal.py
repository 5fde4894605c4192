"""`rocmimg build` and `rocmimg test` in a terminal of 60 columns, and whose names they take and tell."""

import fcntl
import json
import os
import pty
import re
import select
import signal
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


def test_a_cancelled_cell_ran_or_never_started_and_the_table_says_which(project, small_base):
    made = project("""
        defaults: {image: rocmimg-test/app, base: "rocmimg-test/base:1"}
        targets:
          bad: {gpu_archs: [gfx942], components: {broken: {}}}
          slow: {gpu_archs: [gfx942], components: {waits: {}}}
          upper: {gpu_archs: [gfx942], base: {cell: slow}}
    """)
    made.recipe("waits", "RUN echo at work && sleep 120\n")
    made.recipe("broken", "RUN sleep 3; exit 7\n")
    done = made.run("build", "--fail-fast", "-j", "2")
    assert done.returncode == 7
    rows = json.loads((made.folder / "build/report.json").read_text())
    slow, upper = (next(row for row in rows if row["id"].startswith(name)) for name in ("slow", "upper"))
    assert slow["status"] == upper["status"] == "cancelled"
    assert slow["started"]
    assert slow["seconds"] > 0
    assert upper["started"] is None
    table = {line.split()[0]: line for line in done.stdout.splitlines() if line.strip()}
    assert "never started" in table["upper-gfx942"]
    assert re.search(r"slow-gfx942 +[\d.]+s, until final 2/3", table["slow-gfx942"]), done.stdout


def test_after_an_interrupt_the_table_says_what_ran_as_well(project, small_base):
    made = project("""
        defaults: {image: rocmimg-test/app, base: "rocmimg-test/base:1"}
        targets:
          slow: {gpu_archs: [gfx942], components: {waits: {}}}
          upper: {gpu_archs: [gfx942], base: {cell: slow}}
    """)
    made.recipe("waits", "RUN sleep 120\n")
    with made.start("build") as process:
        log = made.folder / "build/logs/slow-gfx942.log"
        deadline = time.monotonic() + 100
        while not (log.exists() and "+ sleep" in log.read_text()) and time.monotonic() < deadline:
            time.sleep(0.1)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    assert "slow-gfx942: cancelled in" in err
    assert re.search(r"slow-gfx942 +[\d.]+s, until final 2/3", out), out + err
    assert re.search(r"upper-gfx942 +never started", out), out


def test_checks_are_shown_as_a_build_is(sample):
    assert sample.run("build", CELL).returncode == 0
    words = ("test", CELL, "--tier", "image")
    _, lines = in_terminal(sample, *words)
    (ended,) = [line for line in lines if CELL in line and "passed" in line]
    assert re.match(rf"[-✗✓] {CELL} ", ended)
    assert "queued" not in "\n".join(lines), "what was redrawn is gone"
    plain = sample.run(*words).stderr.splitlines()
    assert plain[0] == f"{CELL}: reading the image"
    assert f"{CELL}: labels passed" not in plain
    assert f"{CELL}: labels passed" in sample.run(*words, "-v").stderr.splitlines()
    assert sample.run(*words, "--progress", "quiet").stderr == ""


def test_reports_name_an_image_by_the_cells_own_tag(sample, host_engine):
    assert sample.run("build", CELL).returncode == 0
    foreign = "a-foreign/name:1"
    host_engine.tag(TAG, foreign)
    try:
        files = ("--html", "page.html", "--junit", "junit.xml", "--markdown", "summary.md")
        done = sample.run("test", CELL, "--tier", "image", "--json", *files)
        (row,) = json.loads(done.stdout)
        assert row["image"] == TAG
        for name in ("page.html", "junit.xml", "summary.md", f"build/results/{CELL}.json"):
            assert foreign not in (sample.folder / name).read_text()
    finally:
        host_engine.remove(foreign)


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
