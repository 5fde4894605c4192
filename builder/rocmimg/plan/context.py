"""What a Dockerfile of the project's own takes from its build context: those files are inputs and travel, no others."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final

from rocmimg.engine.context import ContextFile
from rocmimg.errors import Position
from rocmimg.plan.sources import local_files
from rocmimg.stages import Stage, Stages, expand, instruction, mount_fields

if TYPE_CHECKING:
    import dockerfile

EVERYTHING: Final = ""
_ELSEWHERE: Final = re.compile(r"<<|https?://|git@|git://|ssh://")
_VARIABLE: Final = re.compile(r"\$\{?(\w+)")


class Context:
    """The files of a context that its ignore file lets through."""

    def __init__(self, folder: Path, dockerfile: Path, position: Position, *, output: Path) -> None:
        own = dockerfile.with_name(f"{dockerfile.name}.dockerignore")
        self._ignore = own if own.is_file() else folder / ".dockerignore"
        self._folder, self._position, self._output = folder, position, output
        self._all: tuple[ContextFile, ...] | None = None

    def matching(self, source: str) -> tuple[ContextFile, ...]:
        """The files that a source of COPY names, or lies above; everything where none does: it may be behind a link.

        Raises:
            SourceError: something cannot be read.
        """
        if self._all is None:
            self._all = local_files(self._folder, "", self._position, ignore=self._ignore, output=self._output)
        if source == EVERYTHING:
            return self._all
        pattern = re.compile(_as_regex(source) + r"(?:/.*)?", re.DOTALL)
        return tuple(file for file in self._all if pattern.fullmatch(file.path)) or self._all


def used_by(parsed: Stages, stage: Stage, arguments: Mapping[str, str]) -> tuple[str, ...]:
    """What the steps of a stage take from the context, each once; :data:`EVERYTHING` for the whole of it."""
    known = _inherited(parsed, stage, arguments)
    found: dict[str, None] = {}
    for step in stage.steps[1:]:
        for source in _sources(step):
            unknown = any(name not in known for name in _VARIABLE.findall(source))
            found[EVERYTHING if unknown else _normal(expand(source, known))] = None
        _declare(step, known, parsed, arguments)
    return (EVERYTHING,) if EVERYTHING in found else tuple(found)


def _sources(step: dockerfile.Command) -> Iterator[str]:
    does, flagged = instruction(step)
    flags = [flag.partition("=") for flag in flagged]
    if does in ("COPY", "ADD") and not any(name.lower() == "--from" for name, _, _ in flags):
        yield from (word for word in step.value[:-1] if not _ELSEWHERE.match(word))
    for name, _, value in flags:
        fields = mount_fields(value) if name.lower() == "--mount" else {}
        if fields.get("type") == "bind" and "from" not in fields:
            yield fields.get("source", ".")


def _normal(source: str) -> str:
    """Relative to the context's root, as the engine takes it."""
    path = posixpath.normpath(posixpath.join("/", source.strip("\"'"))).lstrip("/")
    return EVERYTHING if path in (".", "") else path


def _inherited(parsed: Stages, stage: Stage, arguments: Mapping[str, str]) -> dict[str, str]:
    """Variables that a stage has from the stages of this file that it starts from."""
    earlier = [one for one in parsed.stages if one.steps[0].start_line < stage.steps[0].start_line]
    below = next((one for one in reversed(earlier) if one.name.lower() == stage.base.lower()), None)
    if below is None:
        return {}
    known = _inherited(parsed, below, arguments)
    for step in below.steps[1:]:
        _declare(step, known, parsed, arguments)
    return known


def _declare(step: dockerfile.Command, known: dict[str, str], parsed: Stages, arguments: Mapping[str, str]) -> None:
    match step.cmd.upper():
        case "ARG":
            for word in step.value:
                name, equals, value = word.partition("=")
                default = expand(value.strip("\"'"), known) if equals else parsed.arguments.get(name)
                if (found := arguments.get(name, default)) is not None:
                    known[name] = found
        case "ENV":
            for name, value in zip(step.value[::2], step.value[1::2], strict=False):
                known[name] = expand(value.strip("\"'"), known)


def _as_regex(pattern: str) -> str:
    """A pattern as the engine reads it: ``*`` and ``?`` do not cross a slash."""
    parts = re.split(r"(\*+|\?|\[[^\]]*\])", pattern)
    said = {"?": "[^/]"}
    return "".join(
        "[^/]*" if part.startswith("*") else said.get(part) or (part if part.startswith("[") else re.escape(part))
        for part in parts
    )
