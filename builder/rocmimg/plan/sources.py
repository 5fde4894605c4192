"""The files of a local source, as they travel in the build context: sorted, filtered by .dockerignore, hashed."""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
import warnings
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, Final

from rocmimg import git
from rocmimg.engine.context import ContextFile
from rocmimg.errors import Position, SourceError

if TYPE_CHECKING:
    from pathspec import PathSpec


_WRITTEN: Final = frozenset(
    (name,) for name in ("bake", "logs", "provenance", "report.json", "reports", "results", "sbom")
)
"""What verbs and pipelines write into build/ beside images.yaml."""
_OWN: Final = ".rocmimg"
"""Beside images.yaml: its schema, and what the jobs of a pipeline install."""
_GIT: Final = ".git"
_GIT_LIMIT_S: Final = 30


def local_files(
    folder: Path, prefix: str, position: Position, *, ignore: Path | None = None, output: Path | None = None
) -> tuple[ContextFile, ...]:
    """Every file below ``folder`` that its .dockerignore (or the file ``ignore``) lets through, under ``prefix``.

    ``output`` is where verbs write: what they left there is not a source, or no build would be up to date.

    Raises:
        SourceError: the folder is missing, or something in it cannot be read.
    """
    if not folder.is_dir():
        raise SourceError(f"the folder {folder} does not exist", next_step="correct the path", position=position)
    ignored = _ignored(ignore or folder / ".dockerignore")
    start = f"{prefix}/" if prefix else ""
    found: list[ContextFile] = []
    for path in _walk(folder):
        name = path.relative_to(folder).as_posix()
        if (ignored and ignored.match_file(name)) or (output and _is_ours(path, output)):
            continue
        _refuse_encoding(name, folder)
        if path.is_symlink():
            _refuse_encoding(link := str(path.readlink()), path)
            found.append(ContextFile(path=f"{start}{name}", link=link, mode=0o777))
        elif path.is_file():
            mode = 0o755 if os.access(path, os.X_OK) else 0o644
            found.append(ContextFile(path=f"{start}{name}", data=path, mode=mode))
    return tuple(sorted(found, key=lambda file: file.path))


def digest(files: Iterable[ContextFile]) -> str:
    """sha256 over names, modes, links and contents, as hexadecimal digits.

    Of a repository's own folder, the commit counts that is checked out: its other files are different in every clone.

    Raises:
        SourceError: a file cannot be read.
    """
    total = hashlib.sha256()
    commits: dict[Path, str] = {}
    for file in files:
        if repository := _repository(file):
            if repository not in commits:
                commits[repository] = _head(repository)
                total.update(f"{repository.name}\0{commits[repository]}\0".encode())
            if commits[repository]:
                continue
        total.update(f"{file.path}\0{file.mode:o}\0{file.link or ''}\0".encode())
        total.update(_content_digest(file.data))
    return total.hexdigest()


def _content_digest(data: bytes | Path) -> bytes:
    if isinstance(data, bytes):
        return hashlib.sha256(data).digest()
    try:
        with data.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").digest()
    except OSError as error:
        raise SourceError(f"{data} cannot be read", why=str(error)) from error


def _repository(file: ContextFile) -> Path | None:
    """The `.git` that a file lies in."""
    if isinstance(file.data, bytes) or _GIT not in (folders := PurePosixPath(file.path).parts[:-1]):
        return None
    return file.data.parents[len(folders) - 1 - folders.index(_GIT)]


def _head(repository: Path) -> str:
    """Its commit; empty where it has none, or git cannot tell."""
    try:
        done = git.run(["--git-dir", str(repository), "rev-parse", "--verify", "HEAD"], timeout=_GIT_LIMIT_S)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.decode().strip() if done.returncode == 0 else ""


def _walk(folder: Path) -> Iterator[Path]:
    def refuse(error: OSError) -> None:
        raise SourceError(f"{error.filename} cannot be read", why=str(error)) from error

    for root, folders, files in os.walk(folder, onerror=refuse):
        links = [name for name in folders if (Path(root) / name).is_symlink()]
        yield from (Path(root) / name for name in (*files, *links))


def _is_ours(path: Path, output: Path) -> bool:
    if path.is_relative_to(output):
        return path.relative_to(output).parts[:1] in _WRITTEN
    return path.is_relative_to(output.parent / _OWN)


def _ignored(file: Path) -> PathSpec[Any] | None:
    """A .dockerignore as gitignore patterns: docker's are anchored at the folder where git's are not."""
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return None
    except UnicodeDecodeError as error:
        raise SourceError(f"{file} is not UTF-8", why=str(error), next_step="save it as UTF-8 text") from None
    except OSError as error:
        raise SourceError(f"{file} cannot be read", why=error.strerror or str(error)) from error
    patterns = []
    for number, line in enumerate(map(str.strip, lines), 1):
        if not line or line.startswith("#"):
            continue
        negated, pattern = ("!", line[1:].strip()) if line.startswith("!") else ("", line)
        whole = f"{negated}/{pattern.strip('/')}"
        # Docker's `*` at the top takes folders with all that is in them; by itself git's, here, takes files alone.
        patterns += [whole, f"{whole}/**"]
        try:
            _spec([whole])
        except (ValueError, re.error) as error:
            raise SourceError(
                f"{line!r} is not a pattern", why=str(error).splitlines()[0], position=Position(str(file), number)
            ) from None
    return _spec(patterns)


def _spec(patterns: list[str]) -> PathSpec[Any]:
    from pathspec import PathSpec

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # of a class in a class
        return PathSpec.from_lines("gitignore", patterns)


def _refuse_encoding(name: str, where: Path) -> None:
    """The names of a build context are UTF-8."""
    try:
        name.encode()
    except UnicodeEncodeError:
        raise SourceError(
            f"the name {name!r} is not UTF-8",
            why=f"it is in {where}, and no build context can hold it",
            next_step="rename it, or leave it out with a pattern in .dockerignore",
        ) from None
