"""What a killed process left is removed, and nothing of a living one, of another user, container or machine."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from rocmimg import leftovers
from rocmimg.leftovers import is_gone, scratch, sweep, token

HOLD = """
import sys
from pathlib import Path
from rocmimg.leftovers import scratch
with scratch("x-", Path(sys.argv[1])) as folder:
    (folder / "content").write_text("x")
    print(folder, flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def other(tmp_path: Path) -> Iterator[tuple[subprocess.Popen[str], Path]]:
    """A process that holds a folder, and the folder."""
    command = [sys.executable, "-c", HOLD, str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        yield process, Path(process.stdout.readline().strip())
        process.kill()


def test_a_folder_goes_with_its_block(tmp_path):
    with scratch("x-", tmp_path) as folder:
        (folder / "a").write_text("")
        assert not is_gone(token())
        sweep(tmp_path)
        assert folder.exists()
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_process_left_is_removed_by_the_next(tmp_path, other):
    process, folder = other
    sweep(tmp_path)
    assert (folder / "content").exists()  # it is alive
    process.send_signal(signal.SIGKILL)
    process.wait()
    leftovers._swept.discard(tmp_path)
    with scratch("y-", tmp_path) as mine:
        assert list(tmp_path.iterdir()) == [mine]


def test_a_killed_process_that_nobody_has_waited_for_is_gone(tmp_path, other):
    process, folder = other
    os.kill(process.pid, signal.SIGKILL)
    while Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z":
        time.sleep(0.01)
    sweep(tmp_path)
    assert not folder.exists()


def _changed(at: int, value: str) -> str:
    parts = token().split("_")
    return "_".join([*parts[:at], value, *parts[at + 1 :]])


@pytest.mark.parametrize(
    ("at", "value", "gone"),
    [
        (0, "0" * 12, False),  # another boot or machine
        (1, "1", False),  # another container of this machine
        (2, "4242", False),  # another user
        (3, "4194305", True),  # no such process: over the kernel's largest number
        (4, "1", True),  # another process has the number now
    ],
)
def test_only_a_process_of_this_user_machine_and_container_is_judged(tmp_path, at, value, gone):
    folder = tmp_path / f"rocmimg-{_changed(at, value)}.abc"
    folder.mkdir()
    sweep(tmp_path)
    assert folder.exists() != gone
    assert is_gone(_changed(at, value)) == gone


def test_folders_of_another_boot_go_after_a_day(tmp_path):
    folder = tmp_path / f"rocmimg-{_changed(0, '0' * 12)}.abc"
    folder.mkdir()
    os.utime(folder, (0, 0))
    sweep(tmp_path)
    assert not folder.exists()


@pytest.mark.parametrize("name", ["rocmimg-abc", "rocmimg-1_2_3_4_5.x", "rocmimg-.x", "x" * 200])
def test_what_is_not_named_by_us_stays(tmp_path, name):
    (tmp_path / name).mkdir()
    os.utime(tmp_path / name, (0, 0))
    sweep(tmp_path)
    assert (tmp_path / name).exists()


def test_a_file_or_a_link_of_such_a_name_stays_and_so_does_what_it_leads_to(tmp_path):
    gone = _changed(3, "4194305")
    (tmp_path / "precious").mkdir()
    (tmp_path / f"rocmimg-{gone}.a").symlink_to(tmp_path / "precious")
    (tmp_path / f"rocmimg-{gone}.b").write_text("")
    sweep(tmp_path)
    assert len(list(tmp_path.iterdir())) == 3


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder away")
def test_a_folder_of_another_user_stays(tmp_path):
    folder = tmp_path / f"rocmimg-{_changed(3, '4194305')}.a"
    folder.mkdir()
    os.chown(folder, 4242, 4242)
    sweep(tmp_path)
    assert folder.exists()


@pytest.mark.parametrize("text", ["", "x", "0_0_0_0_0", "_" * 9, "a" * 12 + "_1_1_1_1 "])
def test_a_token_that_is_none_says_nothing(text):
    assert not is_gone(text)
