"""Files of the build context, as far as they lie beside the Dockerfile.

Which folder is the context is said on the command line of the build, not in the file. A source of COPY is looked for in
the Dockerfile's folder and in those above it, up to the root of the repository; the first that has it is taken.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Final

from rocmimg.lint.expand import Lookup, expand
from rocmimg.lint.syntax import Instruction
from rocmimg.lint.text import MappedText

_MAX_BYTES: Final = 256 * 1024
_MAX_FILES: Final = 200
_PROJECT: Final = ("pyproject.toml", "setup.py", "setup.cfg")


def repository_folders(path: Path) -> list[Path]:
    """The folder of a file and those above it, up to the root of its repository; without one, its own and the next."""
    folders: list[Path] = []
    for folder in path.absolute().parents:
        folders.append(folder)
        if (folder / ".git").exists():
            return folders
    return folders[:2]


@dataclass(frozen=True, slots=True, kw_only=True)
class Copied:
    """Something that a COPY, ADD or bind mount puts into the image."""

    target: str
    source: Path | None
    """Where it lies in the context; None where it could not be found."""
    body: MappedText | None = None
    """A here-document of the Dockerfile itself."""


class BuildContext:
    """Answers what the image gets from the files beside a Dockerfile."""

    def __init__(self, dockerfile: Path) -> None:
        self.dockerfile = dockerfile

    @cached_property
    def folders(self) -> list[Path]:
        """Folders that may be the context, the Dockerfile's own first."""
        return repository_folders(self.dockerfile)

    def find(self, name: str) -> list[Path]:
        """What a source of COPY names; for the context itself every folder that may be it, the likeliest last."""
        relative = posixpath.normpath(name.lstrip("/") or ".")
        if relative == ".":
            upwards = self.folders[::-1]
            return sorted(upwards, key=lambda folder: any((folder / name).is_file() for name in _PROJECT))
        if relative.startswith("..") or "$" in relative or "://" in name:
            return []
        for folder in self.folders:
            if any(mark in relative for mark in "*?["):
                try:
                    matches = sorted(folder.glob(relative))[:_MAX_FILES]
                except (ValueError, OSError, NotImplementedError):
                    return []
                if matches:
                    return matches
            elif (folder / relative).exists():
                return [folder / relative]
        return []


def copied(instruction: Instruction, context: BuildContext | None, workdir: str, lookup: Lookup) -> Iterator[Copied]:
    """What a COPY, an ADD or the bind mounts of a RUN bring in from the context."""
    if instruction.keyword in {"COPY", "ADD"} and not instruction.flag("from") and len(instruction.words) > 1:
        *sources, target = [expand(word, lookup) or word for word in instruction.words]
        for source in sources:
            yield from _placed(instruction, context, source, posixpath.join(workdir, target), many=len(sources) > 1)
    for mount in instruction.flag("mount"):
        fields = dict(part.partition("=")[::2] for part in mount.split(","))
        if fields.get("type", "bind") != "bind" or "from" in fields:
            continue
        bound = next((fields[key] for key in ("target", "dst", "destination") if key in fields), "")
        source = fields.get("source") or fields.get("src") or "."
        paths = context.find(source) if context else []
        yield from (Copied(target=posixpath.join(workdir, bound), source=path) for path in (paths or (None,)))


def _placed(
    instruction: Instruction, context: BuildContext | None, source: str, target: str, *, many: bool
) -> Iterator[Copied]:
    below = many or target.endswith("/") or posixpath.basename(target) == "."
    if source.startswith("<<"):
        name = source.removeprefix("<<").removeprefix("-").strip("'\"")
        body = dict(instruction.files).get(name)
        yield Copied(
            target=posixpath.normpath(posixpath.join(target, name) if below else target), source=None, body=body
        )
        return
    paths = context.find(source) if context else []
    for path in paths:
        into = below and not path.is_dir()
        yield Copied(target=posixpath.normpath(posixpath.join(target, path.name) if into else target), source=path)
    if not paths:
        yield Copied(target=posixpath.normpath(target), source=None)


def locate(path: str, places: Iterable[Copied]) -> Copied | None:
    """What stands at a path of the image; the last one that was put there counts."""
    found: Copied | None = None
    for place in places:
        if place.target == path:
            found = place
        elif place.source is not None and place.source.is_dir() and path.startswith(place.target.rstrip("/") + "/"):
            inner = place.source / path[len(place.target.rstrip("/")) + 1 :]
            if inner.exists():
                found = Copied(target=path, source=inner)
    return found


def read_text(path: Path) -> bytes | None:
    """A text file of the context; nothing for what is large, binary or not a file."""
    try:
        if not path.is_file() or path.stat().st_size > _MAX_BYTES:
            return None
        data = path.read_bytes()
    except OSError:
        return None
    return None if b"\0" in data else data


def shown(path: Path) -> str:
    """The name of a file in a report: relative to the working directory where it lies below."""
    here = Path.cwd()
    return str(path.relative_to(here)) if path.is_relative_to(here) else str(path)
