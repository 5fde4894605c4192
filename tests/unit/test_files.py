"""Files beside an answer: what cannot be written is told, and costs nothing else."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from rocmimg.files import LogFile, Unwritten


def test_a_log_is_written_harmless(tmp_path):
    log = LogFile(tmp_path / "logs/a.log")
    log.line("\x1b[2Jhttps://me:hunter2@h/")
    log.close()
    assert (tmp_path / "logs/a.log").read_text() == "\\x1b[2Jhttps://***@h/\n"
    assert log.error == ""


def test_two_logs_of_one_name_are_two_files_until_the_first_ends(tmp_path):
    first, second, third = (LogFile(tmp_path / "a.log") for _ in range(3))
    for number, log in enumerate((first, second, third)):
        log.line(str(number))
    for log in (first, second, third):
        log.close()
    assert [log.path.name for log in (first, second, third)] == ["a.log", "a.2.log", "a.3.log"]
    assert [log.path.read_text() for log in (first, second, third)] == ["0\n", "1\n", "2\n"]
    again = LogFile(tmp_path / "a.log")
    again.close()
    assert again.path == first.path
    assert first.path.read_text() == ""


def test_a_log_of_another_process_is_left_alone(tmp_path):
    code = "import sys; from pathlib import Path; from rocmimg.files import LogFile\n"
    code += "log = LogFile(Path(sys.argv[1])); log.line('theirs'); print(flush=True); sys.stdin.read()"
    command = [sys.executable, "-c", code, str(tmp_path / "a.log")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout
        process.stdout.readline()
        mine = LogFile(tmp_path / "a.log")
        mine.close()
    assert mine.path.name == "a.2.log"
    assert (tmp_path / "a.log").read_text() == "theirs\n"


@pytest.mark.parametrize("place", ["file/a.log", "folder", "x" * 300])
def test_a_log_that_cannot_be_opened_takes_lines_and_says_why(tmp_path, place):
    (tmp_path / "file").write_text("")
    (tmp_path / "folder").mkdir()
    log = LogFile(tmp_path / place)
    log.line("x")
    log.close()
    assert log.error


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="there is no /dev/full")  # noqa: PTH110
def test_a_log_that_is_full_takes_further_lines(tmp_path):
    log = LogFile(tmp_path / "a.log")
    os.dup2(os.open("/dev/full", os.O_WRONLY), log._file.fileno())
    for _ in range(100_000):
        log.line("x")
    log.close()
    assert "No space left" in log.error


def test_an_exit_code_says_it_unless_it_has_worse_to_say(tmp_path):
    unwritten = Unwritten()
    assert (unwritten.exit_code(0), unwritten.exit_code(9)) == (0, 9)
    with unwritten.instead_of("the page", tmp_path / "none/page.html"):
        (tmp_path / "none/page.html").write_text("")
    assert unwritten.notes == [f"the page {tmp_path}/none/page.html could not be written: No such file or directory"]
    assert (unwritten.exit_code(0), unwritten.exit_code(9)) == (8, 9)
