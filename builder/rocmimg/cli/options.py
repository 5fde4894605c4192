"""Options that several verbs share."""

from __future__ import annotations

import os
import shlex
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click

if TYPE_CHECKING:
    from rocmimg.matrix import Matrix

F = TypeVar("F", bound=Callable[..., Any])


LOCKED: Final = "rocmimg.locked"


def _remember_locked(ctx: click.Context, _: click.Parameter, value: bool) -> None:
    ctx.meta[LOCKED] = value


def _with_environment(_ctx: click.Context, _: click.Parameter, value: tuple[str, ...]) -> tuple[str, ...]:
    try:
        words = shlex.split(os.environ.get("ROCMIMG_SET", ""))
    except ValueError as error:
        raise click.UsageError(f"ROCMIMG_SET: {error}; write PATH=VALUE words as for a shell.") from None
    # Taken as it is: a pipeline's version comes from outside, and must not become a second setting.
    version = os.environ.get("ROCMIMG_VERSION", "")
    return (*words, *([f"version={version}"] if version else []), *value)


def matrix_options(function: F) -> F:
    """``--file``, ``--set`` and ``--locked``: which matrix, changed how."""
    for option in (
        click.option(
            "--locked",
            is_flag=True,
            envvar="ROCMIMG_LOCKED",
            expose_value=False,
            callback=_remember_locked,
            help="Refuse what the lock does not pin; also ROCMIMG_LOCKED.",
        ),
        click.option(
            "--set",
            "sets",
            metavar="PATH=VALUE",
            multiple=True,
            callback=_with_environment,
            help="Change the selected cells, for instance components.aiter.ref=v0.1.12. Repeatable; those of "
            "ROCMIMG_SET and the version of ROCMIMG_VERSION come first.",
        ),
        click.option(
            "--file",
            "-f",
            "file",
            default="images.yaml",
            show_default=True,
            envvar="ROCMIMG_FILE",
            type=click.Path(path_type=Path, dir_okay=False),
            help="The matrix.",
        ),
    ):
        function = option(function)
    return function


def selection_options(function: F) -> F:
    """``[CELLS]... --target --arch --variant``: which cells."""
    for decorator in (
        click.option("--variant", "variants", multiple=True, help="Only these variants."),
        click.option("--arch", "archs", multiple=True, help="Only these GPU architectures, for instance gfx942."),
        click.option("--target", "targets", multiple=True, help="Only these targets; shell patterns work."),
        click.argument("cells", nargs=-1),
    ):
        function = decorator(function)
    return function


def load_selected(
    file: Path,
    sets: tuple[str, ...],
    *,
    cells: tuple[str, ...] = (),
    targets: tuple[str, ...] = (),
    archs: tuple[str, ...] = (),
    variants: tuple[str, ...] = (),
    lock: bool = True,
    fetches: bool = False,
) -> tuple[Matrix, list[str]]:
    """The matrix with the ``--set`` values and the lock applied, and the ids of the selected cells.

    For a verb that ``fetches``, folders of git mirrors are served until it ends.
    With ``--locked`` a selected cell that the lock does not pin as a whole is a LockError; otherwise a note.
    """
    from rocmimg.matrix import Selection, load, parse_set, select

    selection = Selection(ids=cells, targets=targets, archs=archs, variants=variants)
    matrix = load(file, sets=[parse_set(text) for text in sets], selection=selection)
    chosen = select(matrix.cells, selection)
    if fetches:
        from rocmimg.matrix.mirrors import with_served_folders

        matrix = with_served_folders(matrix, _server())
    return _with_lock(matrix, chosen) if lock else matrix, chosen


def mirrors_of_sets(sets: tuple[str, ...]) -> dict[str, str]:
    """The git mirrors that ``--set`` and ROCMIMG_SET name, for a verb that reads no matrix."""
    from rocmimg.matrix.cascade import set_network
    from rocmimg.matrix.mirrors import serve_folders

    return serve_folders(set_network(sets).git_mirrors, Path(), _server())


def _server() -> Callable[[Path], str]:
    """Serves a folder of repositories until the verb ends, and says where."""
    urls: dict[Path, str] = {}

    def serve(folder: Path) -> str:
        from rocmimg.git_server import GitServer

        if folder not in urls:
            server = GitServer(folder)
            click.get_current_context().call_on_close(server.close)
            urls[folder] = server.url
        return urls[folder]

    return serve


def _with_lock(matrix: Matrix, chosen: list[str]) -> Matrix:
    from rocmimg.lock.file import lock_path

    path = lock_path(matrix.path)
    context = click.get_current_context(silent=True)
    strict = bool(context and context.meta.get(LOCKED))
    if not path.exists() and not strict:
        return matrix
    from rocmimg.lock.pin import pinned

    matrix, notes = pinned(matrix, path, chosen, strict=strict)
    for note in notes:
        click.echo(f"note: {note}", err=True)
    return matrix


def named_values(option_name: str, example: str, options: Sequence[str]) -> dict[str, str]:
    """The values of an option of the form PACKAGE=VALUE, by package."""
    named: dict[str, str] = {}
    for option in options:
        package, equals, value = option.partition("=")
        if not equals or not value or not all(part.isidentifier() for part in package.split(".")):
            raise click.UsageError(f"{option_name} {option}: write for instance {example}")
        named[package] = value
    return named
