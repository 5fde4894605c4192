"""Parse results kept by content id, so that a file is parsed once however many refs have it.

One SQLite file: safe under concurrent readers and writers, and a broken or unwritable one costs time, never a result.
"""

from __future__ import annotations

import contextlib
import hashlib
import sqlite3
from collections.abc import Iterable
from pathlib import Path
from typing import Final, Generic, TypeVar

import msgspec

from rocmimg.paths import cache_dir

T = TypeVar("T")

_IN_ONE_QUERY: Final = 500


def _parser_version() -> str:
    """A key that changes with the parser's own text: a stale entry must not outlive the code that wrote it."""
    here = Path(__file__).parent
    digest = hashlib.sha256()
    for name in ("model.py", "facts.py", "scan.py", "usage.py", "scope.py", "expressions.py"):
        digest.update((here / name).read_bytes())
    return digest.hexdigest()[:16]


class ParseCache(Generic[T]):
    """Records of one kind, by content id."""

    def __init__(self, kind: str, record: type[T]) -> None:
        self._table = kind
        self._decoder = msgspec.msgpack.Decoder(record)
        self._encoder = msgspec.msgpack.Encoder()
        self._memory: dict[str, T] = {}
        self._fresh: dict[str, T] = {}
        self._version = _parser_version()
        self._db: sqlite3.Connection | None = None
        folder = cache_dir() / "contract"
        with contextlib.suppress(sqlite3.Error, OSError):
            folder.mkdir(parents=True, exist_ok=True)
            database = sqlite3.connect(folder / "parsed.sqlite", timeout=10)
            database.execute("PRAGMA journal_mode=WAL")
            database.execute("PRAGMA synchronous=OFF")
            database.execute(
                "CREATE TABLE IF NOT EXISTS parsed (kind TEXT, version TEXT, id TEXT, record BLOB, "
                "PRIMARY KEY (kind, version, id)) WITHOUT ROWID"
            )
            self._db = database

    def load(self, ids: Iterable[str]) -> None:
        """Bring these into memory, those that are stored."""
        wanted = [i for i in dict.fromkeys(ids) if i not in self._memory]
        if self._db is None:
            return
        for start in range(0, len(wanted), _IN_ONE_QUERY):
            part = wanted[start : start + _IN_ONE_QUERY]
            marks = ",".join("?" * len(part))
            query = f"SELECT id, record FROM parsed WHERE kind=? AND version=? AND id IN ({marks})"  # noqa: S608
            with contextlib.suppress(sqlite3.Error, msgspec.MsgspecError):
                for key, record in self._db.execute(query, (self._table, self._version, *part)):
                    self._memory[key] = self._decoder.decode(record)

    def get(self, key: str) -> T | None:
        """The record with this id, where it is known."""
        if key not in self._memory:
            self.load((key,))
        return self._memory.get(key)

    def put(self, key: str, record: T) -> None:
        """Remember a record; ``close`` writes it."""
        self._memory[key] = record
        self._fresh[key] = record

    def close(self) -> None:
        """Write what is new and let go of the file; what is in memory can still be asked for."""
        self._flush()
        if self._db is not None:
            self._db.close()
            self._db = None

    def _flush(self) -> None:
        """Write what is new in one transaction and drop what other versions of the parser left."""
        if self._db is None or not self._fresh:
            return
        rows = [(self._table, self._version, key, self._encoder.encode(r)) for key, r in self._fresh.items()]
        with contextlib.suppress(sqlite3.Error), self._db:
            self._db.executemany("INSERT OR REPLACE INTO parsed VALUES (?, ?, ?, ?)", rows)
            self._db.execute("DELETE FROM parsed WHERE kind=? AND version<>?", (self._table, self._version))
        self._fresh.clear()
