"""Errors of the operating system that nobody nearer had a word for: each kind its message and its exit code."""

import errno
import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest
import requests

from rocmimg import cli
from rocmimg.errors import DiskFullError, FileError, LimitReached, NetworkError, of_os_error


@pytest.mark.parametrize(
    ("number", "kind", "says"),
    [
        (errno.ENOSPC, DiskFullError, "free some space"),
        (errno.EROFS, DiskFullError, "read-only"),
        (errno.EIO, DiskFullError, "in trouble"),
        (errno.EACCES, FileError, "ls -ld"),
        (errno.EPERM, FileError, "ls -ld"),
        (errno.ENOENT, FileError, "correct the name"),
        (errno.ENOTDIR, FileError, "something of another kind"),
        (errno.ENAMETOOLONG, FileError, "shorten the name"),
        (errno.ELOOP, FileError, "in a circle"),
        (errno.EMFILE, LimitReached, "ulimit -n"),
        (errno.ENOMEM, LimitReached, "do less at once"),
        (errno.EHOSTUNREACH, NetworkError, "the network"),
        (errno.ECONNRESET, NetworkError, "the network"),
    ],
)
def test_each_kind(number, kind, says):
    error = of_os_error(OSError(number, os.strerror(number), "some/file"))
    assert type(error) is kind
    assert str(error).startswith(f"some/file: {os.strerror(number)}; ")
    assert says in str(error)


def test_none_is_a_traceback_or_the_code_of_findings(monkeypatch, capsys):
    for number in errno.errorcode:

        def fail(*_args, _number=number, **_options):
            raise OSError(_number, os.strerror(_number), "a\x07", None, "b")

        monkeypatch.setattr(cli.cli, "main", fail)
        if number in (errno.EPIPE, errno.ESHUTDOWN):  # the reader of a pipe went away: nothing to tell anybody
            continue
        code = cli.run(["list"])
        said = capsys.readouterr().err
        assert code in (8, 20, 22, 23), said
        assert said.count("\n") == 1
        assert "a\\x07 -> b: " in said


@pytest.mark.parametrize(
    "error",
    [requests.ConnectionError("gone"), requests.Timeout("late"), TimeoutError("late"), ConnectionResetError("gone")],
)
def test_a_connection_is_the_network(error):
    assert type(of_os_error(error)) is NetworkError


def test_one_without_number_and_words():
    assert str(of_os_error(OSError())) == "OSError"
    assert str(of_os_error(OSError("odd"), "a file")) == "a file; odd"


MATRIX = "targets:\n  t:\n    gpu_archs: [gfx942]\n    base: debian:testing\n"


def rocmimg(folder: Path, *words: str, files: int = 0) -> subprocess.CompletedProcess[str]:
    (folder / "images.yaml").write_text(MATRIX)

    def few_files() -> None:
        if files:
            resource.setrlimit(resource.RLIMIT_NOFILE, (files, files))

    return subprocess.run(
        [sys.executable, "-m", "rocmimg", *words],
        cwd=folder,
        env={"PATH": os.environ["PATH"], "HOME": str(folder), "ROCMIMG_CACHE": str(folder / "cache")},
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=few_files,
    )


@pytest.mark.parametrize(
    ("place", "says"),
    [
        ("a-file/x", "Not a directory; something of another kind"),
        ("n" * 300, "File name too long; shorten the name"),
        ("circle/x", "Too many levels of symbolic links; its symbolic links lead in a circle"),
    ],
)
def test_folders_that_cannot_be_written_to(place, says, tmp_path):
    (tmp_path / "a-file").touch()
    (tmp_path / "circle").symlink_to("circle")
    done = rocmimg(tmp_path, "render", "-o", place)
    assert done.returncode == 22
    assert done.stderr.startswith("rocmimg: file: ")
    assert says in done.stderr
    assert "Traceback" not in done.stderr


def test_too_few_open_files(tmp_path):
    done = rocmimg(tmp_path, "list", files=6)
    assert "Traceback" not in done.stderr
    assert done.returncode in (0, 23)
