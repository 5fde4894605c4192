"""images.yaml as it was at another commit, with the project's templates of that commit."""

from __future__ import annotations

import io
import subprocess
import tarfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from rocmimg import git
from rocmimg.errors import Position, SourceError
from rocmimg.leftovers import scratch
from rocmimg.matrix.nodes import Node, read_yaml

_TIMEOUT_S = 120


@contextmanager
def at_commit(path: Path, commit: str) -> Iterator[Path]:
    """The matrix ``path`` at ``commit``, in a folder that lasts as long as the block.

    The project's templates come with it; where it has none, those of this rocmimg serve both sides.

    Raises:
        SourceError: there is no repository, no such commit, or the file was not there.
    """
    folder = path.resolve().parent
    names = [path.name, "templates"]
    present = _git(folder, commit, "ls-tree", "--name-only", commit, "--", *names).decode().splitlines()
    if path.name not in present:
        raise SourceError(
            f"{commit} has no {path.name}", next_step="name a later commit", position=Position("command line")
        )
    with scratch("rocmimg-") as place:
        _extract(folder, commit, present, Path(place))
        bring(path, commit, _dockerfiles(read_yaml(Path(place) / path.name)), Path(place))
        yield Path(place) / path.name


def _dockerfiles(node: Node) -> Iterator[str]:
    """The paths of Dockerfiles that a matrix names, wherever."""
    for key, child in node.children.items():
        if key == "dockerfile" and isinstance(path := child.children.get("path", child).value, str):
            yield path
        else:
            yield from _dockerfiles(child)


def bring(path: Path, commit: str, names: Iterable[str], to: Path) -> None:
    """Put those of the files and folders ``names``, relative to the matrix ``path``, that ``commit`` has below ``to``.

    Raises:
        SourceError: they cannot be read, for instance because they lie outside the matrix's own folder.
    """
    folder = path.resolve().parent
    if present := [name for name in names if _git(folder, commit, "ls-tree", "--name-only", commit, "--", name)]:
        _extract(folder, commit, present, to)


def _extract(folder: Path, commit: str, names: list[str], to: Path) -> None:
    archive = _git(folder, commit, "archive", "--format=tar", commit, "--", *names)
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        # Python 3.11.2, Debian 12's, has no filters; git archive packs what the user's own repository holds.
        tar.extraction_filter = getattr(tarfile, "data_filter", lambda member, _: member)
        tar.extractall(to)  # noqa: S202


def _git(folder: Path, commit: str, *words: str) -> bytes:
    if commit.startswith("-"):
        raise SourceError(f"{commit!r} is not a commit", position=Position("command line"))
    try:
        done = git.run(words, timeout=_TIMEOUT_S, folder=folder)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise SourceError("git cannot be run", why=str(error), next_step="install git") from None
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip().splitlines()
        why = said[-1].removeprefix("fatal: ") if said else ""
        raise SourceError(
            f"{commit} cannot be read in {folder}",
            why=why,
            next_step="see `git log`",
            position=Position("command line"),
        )
    return done.stdout
