from __future__ import annotations

import hashlib
import io
import os
import tarfile
from pathlib import Path

import pytest

from rocmimg.engine.context import ContextFile
from rocmimg.engine.tar import MTIME, stream
from rocmimg.errors import SourceError

LONG = "/".join(["a" * 90] * 3)


def files(folder: Path) -> list[ContextFile]:
    (folder / "big").write_bytes(b"0123456789" * 300_000)
    (folder / "small").write_bytes(b"x")
    return [
        ContextFile(path="big", data=folder / "big"),
        ContextFile(path="dir/small", data=folder / "small", mode=0o755),
        ContextFile(path="dir/link", link="../big"),
        ContextFile(path="empty"),
        ContextFile(path=f"{LONG}/ä.txt", data=b"long name"),
        ContextFile(path="link", link=LONG),
    ]


def test_what_goes_in_comes_out_in_order(tmp_path: Path) -> None:
    with tarfile.open(fileobj=io.BytesIO(b"".join(stream(files(tmp_path))))) as tar:
        members = tar.getmembers()
        assert [member.name for member in members] == [file.path for file in files(tmp_path)]
        assert {(m.uid, m.gid, m.mtime, m.uname, m.gname) for m in members} == {(0, 0, MTIME, "", "")}
        big = tar.extractfile("big")
        assert big is not None
        assert big.read() == (tmp_path / "big").read_bytes()
        assert tar.getmember("dir/small").mode == 0o755
        assert tar.getmember("dir/link").linkname == "../big"
        assert tar.getmember("link").linkname == LONG


def test_the_engine_never_sees_a_pax_header(tmp_path: Path) -> None:
    data = b"".join(stream(files(tmp_path)))
    assert b"PaxHeader" not in data
    assert data[257:265] == tarfile.GNU_MAGIC


def test_the_same_files_give_the_same_bytes_whatever_their_times(tmp_path: Path) -> None:
    first = hashlib.sha256(b"".join(stream(files(tmp_path)))).hexdigest()
    os.utime(tmp_path / "small", (1, 1))
    (tmp_path / "small").chmod(0o600)
    again = [ContextFile(path=f.path, data=f.data, mode=f.mode, link=f.link) for f in files(tmp_path)]
    assert hashlib.sha256(b"".join(stream(again))).hexdigest() == first


def test_a_large_file_is_streamed_in_pieces(tmp_path: Path) -> None:
    sparse = tmp_path / "sparse"
    with sparse.open("wb") as file:
        file.truncate(64 << 20)
    pieces = [len(piece) for piece in stream([ContextFile(path="sparse", data=sparse)])]
    assert max(pieces) < 3 << 20
    assert sum(pieces) > 64 << 20


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="gone"):
        list(stream([ContextFile(path="x", data=tmp_path / "gone")]))


def test_a_file_that_shrinks_while_it_is_read_is_told(tmp_path: Path) -> None:
    shrinking = tmp_path / "shrinking"
    shrinking.write_bytes(bytes(8 << 20))
    pieces = stream([ContextFile(path="x", data=shrinking)])
    next(pieces)
    os.truncate(shrinking, 1 << 20)
    with pytest.raises(SourceError, match="became shorter"):
        list(pieces)
