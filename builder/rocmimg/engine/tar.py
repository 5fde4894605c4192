"""The build context as a stream, the same bytes for the same files."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path
from typing import TYPE_CHECKING, Final

from rocmimg.errors import SourceError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from rocmimg.engine.context import ContextFile

MTIME: Final = 315_532_800
"""1980-01-01, the first instant that a zip archive (so a wheel) can hold."""
_CHUNK: Final = 1 << 20
_BLOCK: Final = tarfile.BLOCKSIZE


def stream(files: Iterable[ContextFile]) -> Iterator[bytes]:
    """A tar of ``files`` in their order, at most about 1 MiB in memory, owner 0:0, one fixed time.

    GNU format: the engine takes a body that starts with a PAX header for a Dockerfile.
    Raises SourceError for a file that cannot be read or that changes its size meanwhile.
    """
    pending = bytearray()
    for file in files:
        for part in _member(file):
            pending += part
            if len(pending) >= _CHUNK:
                yield bytes(pending)
                pending.clear()
    yield bytes(pending) + bytes(2 * _BLOCK)


def _member(file: ContextFile) -> Iterator[bytes]:
    info = tarfile.TarInfo(file.path)
    info.mode = file.mode
    info.mtime = MTIME
    if file.link is not None:
        info.type, info.linkname = tarfile.SYMTYPE, file.link
        yield _header(info)
        return
    if isinstance(file.data, bytes):
        info.size = len(file.data)
        yield _header(info)
        yield file.data
    else:
        yield from _file(info, file.data)
    yield bytes(-info.size % _BLOCK)


def _file(info: tarfile.TarInfo, path: Path) -> Iterator[bytes]:
    try:
        with path.open("rb") as source:
            info.size = source.seek(0, io.SEEK_END)
            source.seek(0)
            yield _header(info)
            left = info.size
            while left:
                chunk = source.read(min(_CHUNK, left))
                if not chunk:
                    raise SourceError(f"{path} became shorter while it was read", next_step="run the command again")
                left -= len(chunk)
                yield chunk
    except OSError as error:
        raise SourceError(f"cannot read {path}", why=error.strerror or str(error)) from error


def _header(info: tarfile.TarInfo) -> bytes:
    return info.tobuf(format=tarfile.GNU_FORMAT)
