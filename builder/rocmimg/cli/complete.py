"""What a shell offers behind a verb: names of the matrix, and ids of checks."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import click

from rocmimg.errors import RocmimgError

if TYPE_CHECKING:
    from rocmimg.matrix import Matrix

Completer: TypeAlias = Callable[[click.Context, click.Parameter, str], list[str]]


def _names(found: Callable[[click.Context], Iterable[str]]) -> Completer:
    """A completer of these names; none where the matrix cannot be read: a prompt is not the place for its errors."""

    @wraps(found)
    def complete(ctx: click.Context, _: click.Parameter, incomplete: str) -> list[str]:
        try:
            return [name for name in dict.fromkeys(found(ctx)) if name.startswith(incomplete)]
        except (RocmimgError, OSError):
            return []

    return complete


def _matrix(ctx: click.Context) -> Matrix:
    from rocmimg.matrix import load

    return load(ctx.params.get("file") or Path("images.yaml"))


def _components(ctx: click.Context) -> Iterable[str]:
    return (component.name for cell in _matrix(ctx).cells for component in cell.components)


@_names
def cells(ctx: click.Context) -> Iterable[str]:
    """Targets and cells. bash takes the name behind ``component=`` for a word of its own."""
    if (ctx.params.get("cells") or ())[-1:] == ("=",):
        return _components(ctx)
    found = _matrix(ctx).cells
    return (*(cell.target for cell in found), *(cell.id for cell in found))


@_names
def targets(ctx: click.Context) -> Iterable[str]:
    """Targets."""
    return (cell.target for cell in _matrix(ctx).cells)


@_names
def archs(ctx: click.Context) -> Iterable[str]:
    """GPU architectures that the matrix has images for."""
    return (arch for cell in _matrix(ctx).cells for arch in (cell.arch, *cell.archs))


@_names
def variants(ctx: click.Context) -> Iterable[str]:
    """Variants."""
    return (cell.variant for cell in _matrix(ctx).cells if cell.variant)


@_names
def settings(ctx: click.Context) -> Iterable[str]:
    """Paths of ``--set`` that are changed most often."""
    return (f"components.{name}.{key}=" for name in _components(ctx) for key in ("ref", "enabled"))


@_names
def changes(ctx: click.Context) -> Iterable[str]:
    """Values of ``plan --changed``."""
    return (f"component={name}" for name in _components(ctx))


@_names
def checks(ctx: click.Context) -> Iterable[str]:
    """Checks of the suite, and of the folders that the matrix names."""
    from rocmimg.checks.suites import listed, own_folders

    folders: list[Path | None] = [None]
    if Path(ctx.params.get("file") or "images.yaml").exists():
        folders += own_folders(_matrix(ctx))
    return (info.id for folder in folders for info in listed(folder))
