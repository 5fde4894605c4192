"""What was found of a matrix before, kept by the content of every file that it was found from.

Reading, planning and rendering a matrix always gives the same for the same files, options and program, so a verb may
take what it found the last time. Nothing is kept of what depends on anything else: refs that were looked up, notes that
were printed, files that ``--set`` names. A memory that is missing or damaged costs time, never a result.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import shutil
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from rocmimg.errors import Position, RocmimgError
from rocmimg.paths import cache_dir, write_atomic
from rocmimg.plan.recognition import Recognition

if TYPE_CHECKING:
    from rocmimg.matrix.cell import Matrix
    from rocmimg.plan.model import Plan

_KEPT: Final = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """All that something was found from."""

    files: Sequence[str]
    """Those that are not there included."""
    folders: Sequence[str] = ()
    """With all files below them."""
    local: Sequence[tuple[str, str, str, str]] = ()
    """Local sources of components: the folder, where it lies in the build context, what verbs write, its digest."""

    @classmethod
    def of(cls, matrix: Matrix, lock: Path, plan: Plan | None = None) -> Sources | None:
        """Those of a matrix with its lock, or of a plan; None where they are more than these, as with a Dockerfile."""
        if not all(cell.has_recipes for cell in matrix.cells):
            return None
        folders = dict.fromkeys((*map(str, matrix.catalogue.folders), str(matrix.folder / "templates")))
        local = tuple(_local(matrix, plan)) if plan else ()
        return cls(files=(str(matrix.path), str(lock)), folders=tuple(folders), local=local)


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptPlan:
    """By what the images of a plan are recognized."""

    images: tuple[Recognition, ...]

    @staticmethod
    def rows(plan: Plan) -> list[dict[str, Any]]:
        """Those of a plan, for :meth:`Memory.keep`."""
        names = Recognition.__slots__
        return [{name: getattr(image, name) for name in names} for image in plan.images]

    @classmethod
    def read(cls, rows: Any) -> KeptPlan | None:
        """What ``rows`` gave; None for anything else."""
        try:
            return cls(images=tuple(Recognition(**{**row, "tags": tuple(row["tags"])}) for row in rows))
        except (TypeError, KeyError):
            return None


class Memory:
    """The answer to one question: a verb with its options, in this folder, on this machine, by this program."""

    def __init__(self, verb: str, question: Mapping[str, Any]) -> None:
        asked = [verb, dict(question), str(Path.cwd()), bool(shutil.which("mmdebstrap")), _program()]
        self._began = time.time()
        self._path = cache_dir() / "plans" / f"{_sha256(json.dumps(asked, default=str).encode())}.json"

    def recall(self) -> Any | None:
        """What was kept, where every file is as it was."""
        try:
            kept = json.loads(self._path.read_bytes())
            sources = Sources(**{name: kept["sources"][name] for name in Sources.__slots__})
            return kept["found"] if kept["state"] == _state(sources) and _unchanged(sources.local) else None
        except (OSError, ValueError, KeyError, TypeError, RocmimgError):
            return None

    def keep(self, found: Any, sources: Sources) -> None:
        """Keep what was found; not where a file changed meanwhile, nor where the cache folder cannot be written."""
        with suppress(OSError):
            state = _state(sources, before=self._began)
            if not state:
                return
            write_atomic(self._path, json.dumps({"sources": asdict(sources), "state": state, "found": found}))
            entries = sorted(self._path.parent.glob("*.json"), key=lambda path: path.stat().st_mtime)
            for old in entries[:-_KEPT]:
                old.unlink(missing_ok=True)


def _local(matrix: Matrix, plan: Plan) -> Iterator[tuple[str, str, str, str]]:
    from rocmimg.render.dockerfile import source_folder

    for image in plan.images:
        digests = {one.name: one.sha256 for one in image.inputs if one.kind == "source"}
        for component in image.cell.components:
            if component.local:
                prefix = str(source_folder(image.cell, component))
                output = str(matrix.folder / "build")
                yield str(matrix.folder / component.local), prefix, output, digests[component.name]


def _unchanged(local: Sequence[tuple[str, str, str, str]]) -> bool:
    if not local:
        return True
    from rocmimg.plan.sources import digest, local_files

    return all(
        digest(local_files(Path(folder), prefix, Position(folder), output=Path(output))) == known
        for folder, prefix, output, known in dict.fromkeys(map(tuple, local))
    )


def _state(sources: Sources, *, before: float = math.inf) -> str:
    """One digest over the content of the files; empty where one was written later than ``before``."""
    names = [Path(name) for name in sources.files]
    for folder in sources.folders:
        below = (Path(root) / name for root, _, found in os.walk(folder, followlinks=True) for name in found)
        names += [Path(folder), *sorted(below)]
    seen = hashlib.sha256()
    for path in names:
        try:
            facts = path.stat()
            content = b"folder" if path.is_dir() else hashlib.sha256(path.read_bytes()).digest()
        except FileNotFoundError:
            seen.update(f"{path} absent\n".encode())
            continue
        if max(facts.st_mtime, facts.st_ctime) >= before:
            return ""
        seen.update(f"{path} ".encode() + content)
    return seen.hexdigest()


@cache
def _program() -> list[str]:
    """This program and what it is installed with; a file that is edited or installed anew has another time."""
    package = Path(__file__).parents[1]
    seen = [
        f"{path} {facts.st_size} {facts.st_mtime_ns}"
        for path, facts in _stats(package)
        if path.endswith((".py", ".yaml"))
    ]
    installed = Path(click.__file__).parents[1]
    return [sys.version, str(installed.stat().st_mtime_ns), _sha256("\n".join(sorted(seen)).encode())]


def _stats(folder: Path) -> Iterator[tuple[str, os.stat_result]]:
    for entry in os.scandir(folder):
        if entry.is_dir(follow_symlinks=False):
            if entry.name != "__pycache__":
                yield from _stats(Path(entry.path))
        else:
            yield entry.path, entry.stat()


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
