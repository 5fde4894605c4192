"""Image references from patterns."""

from __future__ import annotations

import re
from collections.abc import Mapping
from string import Formatter
from typing import Final, Literal

from rocmimg.errors import ConfigError
from rocmimg.matrix.model import CellConfig
from rocmimg.matrix.nodes import Node
from rocmimg.matrix.validate import did_you_mean

_TAG: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}")


def references(
    config: CellConfig, key: Literal["tags", "aliases"], fields: Mapping[str, str], node: Node
) -> tuple[str, ...]:
    """The patterns under ``key`` as full image references.

    Raises:
        ConfigError: a pattern has an unknown field, or its result is no tag.
    """
    repository = "/".join(part for part in (config.registry, config.image) if part)
    return tuple(
        f"{repository}:{_fill(pattern, fields, node.find((key, index)))}"
        for index, pattern in enumerate(getattr(config, key))
    )


def _fill(pattern: str, fields: Mapping[str, str], node: Node) -> str:
    try:
        used = [name for _, name, _, _ in Formatter().parse(pattern) if name is not None]
    except ValueError as error:
        raise ConfigError(f"tag pattern {pattern!r} is wrong", why=str(error), position=node.position) from None
    for name in used:
        if name not in fields:
            raise ConfigError(
                f"tag pattern {pattern!r} has an unknown field {name!r}",
                next_step=did_you_mean(name, fields),
                position=node.position,
            )
    tag = pattern.format_map(fields)
    if not _TAG.fullmatch(tag):
        raise ConfigError(
            f"{tag!r} is no image tag",
            why="a tag has up to 128 letters, digits and . _ -",
            next_step="change the pattern or the version",
            position=node.position,
        )
    return tag
