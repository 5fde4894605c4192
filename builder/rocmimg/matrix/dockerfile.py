"""A Dockerfile of the project's own, as a cell builds it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

from rocmimg.errors import BuildError, ConfigError, Position, did_you_mean
from rocmimg.matrix.model import DockerfileConfig
from rocmimg.matrix.nodes import Node

if TYPE_CHECKING:
    from rocmimg.stages import Stages

_FIELD: Final = re.compile(r"\{\{|\}\}|\{([^{}]*)\}")
_PREDEFINED: Final = re.compile(
    r"(?i:https?|ftp|no|all)_proxy|BUILDKIT_\w+|SOURCE_DATE_EPOCH|(?:TARGET|BUILD)(?:PLATFORM|OS|ARCH|VARIANT)"
)
"""Arguments that every Dockerfile takes without an ARG."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnDockerfile:
    """A Dockerfile of the project's own, read."""

    path: Path
    shown: str
    """Its path as messages have it."""
    context: Path
    text: str
    stage: str
    """The stage that becomes the image; the last one when empty."""
    args: Mapping[str, str]
    """Build arguments, filled in but for what the lock decides: the refs of ``contents``."""
    digests: Mapping[str, str] = field(default_factory=dict)
    """Reference of an image in it -> the digest that the lock has for it."""

    def position(self, line: int = 0) -> Position:
        """A line of it."""
        return Position(self.shown, line)

    def stages(self, arguments: Mapping[str, str]) -> Stages:
        """Its stages with these build arguments.

        Raises:
            ConfigError: it cannot be read.
        """
        try:
            return _parsed(self.text, tuple(arguments.items()))
        except BuildError as error:
            line = re.search(r"line (\d+)", error.why)
            place = self.position(int(line[1]) if line else 0)
            raise ConfigError(error.what, why=error.why, next_step=error.next_step, position=place) from None

    def pinned_stages(self, arguments: Mapping[str, str]) -> Stages:
        """Its stages with the digests of the lock behind the images that they name."""
        stages = self.stages(arguments)
        return _parsed(stages.pinned(self.digests), tuple(arguments.items())) if self.digests else stages


@lru_cache(maxsize=64)
def _parsed(text: str, arguments: tuple[tuple[str, str], ...]) -> Stages:
    from rocmimg.stages import parse

    return parse(text, dict(arguments))


def read_dockerfile(own: DockerfileConfig, node: Node, folder: Path, fields: Mapping[str, str]) -> OwnDockerfile:
    """The Dockerfile that a cell names.

    Raises:
        ConfigError: it is not there, cannot be read, or a build argument is wrong.
    """
    here = ("dockerfile",)
    path, context = folder / own.path, folder / own.context
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise ConfigError(
            f"{own.path} cannot be read",
            why=why,
            next_step="correct the path: it starts at the folder of images.yaml",
            position=node.find((*here, "path")).position,
        ) from None
    for name, pattern in own.args.items():
        for used in fields_of(pattern):
            if used not in fields:
                raise ConfigError(
                    f"build argument {name} has an unknown field {{{used}}}",
                    why="a brace is written twice: {{",
                    next_step=did_you_mean(used, fields),
                    position=node.find((*here, "args", name)).position,
                )
    read = OwnDockerfile(
        path=path, shown=_shown(path), context=context, text=text, stage=own.stage, args=dict(own.args)
    )
    _refuse_unknown(read, filled(read.args, fields), node)
    return read


def _refuse_unknown(own: OwnDockerfile, arguments: Mapping[str, str], node: Node) -> None:
    """Raise a ConfigError for a stage or an argument that the Dockerfile does not have."""
    stages = own.stages(arguments)
    try:
        stages.needed(own.stage or None)
    except BuildError:
        raise ConfigError(
            f"{own.shown} has no stage {own.stage!r}",
            next_step=did_you_mean(own.stage, [stage.name for stage in stages.stages]),
            position=node.find(("dockerfile", "stage")).position,
        ) from None
    declared = {*stages.arguments, *(name for stage in stages.stages for name in stage.arguments)}
    for name in arguments:
        if name not in declared and not _PREDEFINED.fullmatch(name):
            raise ConfigError(
                f"{own.shown} has no ARG {name}",
                why="the value would have no effect",
                next_step=did_you_mean(name, sorted(declared)) if declared else "remove it",
                position=node.find(("dockerfile", "args", name)).position,
            )
    root = stages.root(own.stage or None)
    if not root.reference:
        raise ConfigError(
            "FROM names no image", why="no build argument gives it a value", position=own.position(root.line)
        )


def _shown(path: Path) -> str:
    try:
        return str(path.resolve().relative_to(Path.cwd()))
    except (ValueError, RuntimeError):
        return str(path)


def fields_of(pattern: str) -> Iterator[str]:
    """The fields of a build argument's pattern."""
    return (match[1] for match in _FIELD.finditer(pattern) if match[1] is not None)


def filled(patterns: Mapping[str, str], fields: Mapping[str, str]) -> dict[str, str]:
    """Build arguments with their fields filled in."""

    def value(match: re.Match[str]) -> str:
        return match[0][0] if match[1] is None else fields[match[1]]

    return {name: _FIELD.sub(value, pattern) for name, pattern in patterns.items()}
