"""Options that several verbs share."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, TypeVar

import click

from rocmimg.cli import complete

if TYPE_CHECKING:
    from rocmimg.files import Unwritten
    from rocmimg.matrix import Cell, Matrix
    from rocmimg.plan import ImagePlan, Plan
    from rocmimg.plan.memory import Memory, Sources

R = TypeVar("R")

LOCKED: Final = "rocmimg.locked"
BUILD_FOLDER: Final = "build"


def _remember_locked(ctx: click.Context, _: click.Parameter, value: bool) -> None:
    ctx.meta[LOCKED] = value


def file_option(text: str) -> Callable[[Any], Any]:
    """``--file``: where the matrix is; ``text`` is the help."""
    return click.option(
        "--file",
        "-f",
        "file",
        default="images.yaml",
        show_default=True,
        envvar="ROCMIMG_FILE",
        type=click.Path(path_type=Path, dir_okay=False),
        help=text,
    )


def _with_environment(_ctx: click.Context, _: click.Parameter, value: tuple[str, ...]) -> tuple[str, ...]:
    try:
        words = shlex.split(os.environ.get("ROCMIMG_SET", ""))
    except ValueError as error:
        raise click.UsageError(f"ROCMIMG_SET: {error}; write PATH=VALUE words as for a shell.") from None
    return (*words, *value)


_MATRIX: Final = (
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
        shell_complete=complete.settings,
        callback=_with_environment,
        help="Change the selected cells, for instance components.aiter.ref=v0.1.12. Repeatable; those of "
        "ROCMIMG_SET come first. ROCMIMG_VERSION is the version of all cells.",
    ),
    file_option("The matrix."),
)
_CELLS: Final = (
    click.option("--variant", "variants", multiple=True, shell_complete=complete.variants, help="Only these variants."),
    click.option(
        "--arch",
        "archs",
        multiple=True,
        shell_complete=complete.archs,
        help="Only these GPU architectures, for instance gfx942.",
    ),
    click.option(
        "--target",
        "targets",
        multiple=True,
        shell_complete=complete.targets,
        help="Only these targets; shell patterns work.",
    ),
    click.argument("cells", nargs=-1, shell_complete=complete.cells),
)


@dataclass(frozen=True, slots=True)
class Selected:
    """A matrix and the cells of it that a verb is about."""

    matrix: Matrix
    ids: list[str]
    self_contained: bool = False
    """Whether all of it comes from images.yaml, the lock, the templates and the command line, without a note."""

    def sources(self, plan: Plan | None = None) -> Sources | None:
        """What it, or its plan, was found from; None where that cannot be named."""
        from rocmimg.lock.file import lock_path
        from rocmimg.plan.memory import Sources

        return Sources.of(self.matrix, lock_path(self.matrix.path), plan) if self.self_contained else None

    @property
    def cells(self) -> list[Cell]:
        """In the matrix's order."""
        return [self.matrix.cell(name) for name in self.ids]

    @property
    def build_folder(self) -> Path:
        """Where results, logs and reports of this matrix lie."""
        return self.matrix.folder / BUILD_FOLDER

    def plan(self) -> Plan:
        """The plan of the cells and of those that they start from."""
        from rocmimg.plan import make_plan

        return make_plan(self.matrix, self.ids)

    def images(self) -> list[ImagePlan]:
        """The plans of the cells alone."""
        plan = self.plan()
        return [plan[name] for name in self.ids]


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """What the command line says about the matrix: which file, changed how, and which of its cells."""

    file: Path
    sets: tuple[str, ...] = ()
    cells: tuple[str, ...] = ()
    targets: tuple[str, ...] = ()
    archs: tuple[str, ...] = ()
    variants: tuple[str, ...] = ()
    version: str = field(default_factory=lambda: os.environ.get("ROCMIMG_VERSION", ""))
    """Of every cell, also of those that the selected ones start from: a pipeline names the cells one by one."""

    @property
    def restricts(self) -> bool:
        """Whether it names cells at all."""
        return bool(self.cells or self.targets or self.archs or self.variants)

    def memory(self, verb: str) -> Memory:
        """What ``verb`` found for this choice before."""
        from rocmimg.plan.memory import Memory

        context = click.get_current_context(silent=True)
        return Memory(verb, {**asdict(self), "locked": bool(context and context.meta.get(LOCKED))})

    def load(
        self, *, lock: bool = True, fetches: bool = False, refs: Literal["named", "now", "known"] = "named"
    ) -> Selected:
        """The matrix with the ``--set`` values and the lock applied, and the selected cells.

        ``refs`` that no lock pins stay as they are named, or become commits: those that they mean ``now``, or those
        that they meant for the last build here (``known``); both fetch. For a verb that ``fetches``, folders of git
        mirrors are served until it ends.
        With ``--locked`` a selected cell that the lock does not pin as a whole is a LockError; otherwise a note.
        """
        from rocmimg.matrix import Selection, load, parse_set, select

        selection = Selection(ids=self.cells, targets=self.targets, archs=self.archs, variants=self.variants)
        sets = [parse_set(text) for text in self.sets]
        matrix = load(self.file, sets=sets, selection=selection, version=self.version)
        chosen = select(matrix.cells, selection, matrix.extended)
        if fetches or refs != "named":
            from rocmimg.matrix.mirrors import with_served_folders

            matrix = with_served_folders(matrix, _server())
        notes: list[str] = []
        if lock:
            matrix = _with_lock(matrix, chosen, notes)
        contained = not any("=@" in text for text in self.sets)
        if refs != "named":
            from rocmimg.lock.refs import open_refs, resolve_refs

            contained = contained and not open_refs(matrix, chosen)
            matrix, unknown = resolve_refs(matrix, chosen, now=refs == "now")
            notes += unknown
        for note in notes:
            click.echo(f"note: {note}", err=True)
        return Selected(matrix, chosen, self_contained=contained and not notes)

    def one(self, cell: str) -> tuple[Matrix, Cell]:
        """The matrix and the one cell that ``cell`` names."""
        selected = replace(self, cells=(cell,)).load()
        if len(selected.ids) > 1:
            raise click.UsageError(f"{cell} names {len(selected.ids)} cells: {', '.join(selected.ids)}. Name one.")
        return selected.matrix, selected.cells[0]


def _with_choice(function: Callable[..., R], options: Iterable[Callable[[Any], Any]]) -> Callable[..., R]:
    names = {field.name for field in fields(Choice)}

    @wraps(function)
    def verb(**values: Any) -> R:
        mine = {name: values.pop(name) for name in names & values.keys()}
        return function(choice=Choice(**mine), **values)

    for option in (*_MATRIX, *options):
        verb = option(verb)
    return verb


def selection_options(function: Callable[..., R]) -> Callable[..., R]:
    """``[CELLS]... --target --arch --variant --file --set --locked``: the verb gets a :class:`Choice` as ``choice``."""
    return _with_choice(function, _CELLS)


def matrix_options(function: Callable[..., R]) -> Callable[..., R]:
    """``--file --set --locked`` for a verb that takes its cells in another way."""
    return _with_choice(function, ())


Show = Literal["auto", "plain", "quiet"]


def progress_options(function: Callable[..., R]) -> Callable[..., R]:
    """``--progress --verbose``, as ``progress`` and ``verbose``."""
    function = click.option("--verbose", "-v", is_flag=True, help="Also every line that a step writes.")(function)
    return click.option(
        "--progress",
        type=click.Choice(["auto", "plain", "quiet"]),
        default="auto",
        show_default=True,
        help="What standard error shows meanwhile: a live view on a terminal and lines elsewhere; lines; nothing.",
    )(function)


def lives(progress: Show) -> bool:
    """Whether a live view can be drawn and is wanted."""
    return progress == "auto" and sys.stderr.isatty() and os.environ.get("TERM") not in ("dumb", "unknown", None)


def release_options(
    target_help: str, variant_help: str, *, required: bool
) -> Callable[[Callable[..., R]], Callable[..., R]]:
    """``--target --variant --file --set --locked`` for a verb that is about whole targets."""
    options = (
        click.option("--variant", "variants", multiple=True, shell_complete=complete.variants, help=variant_help),
        click.option(
            "--target",
            "targets",
            multiple=True,
            required=required,
            shell_complete=complete.targets,
            help=target_help,
        ),
    )
    return lambda function: _with_choice(function, options)


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


def _with_lock(matrix: Matrix, chosen: list[str], notes: list[str]) -> Matrix:
    from rocmimg.lock.file import lock_path

    path = lock_path(matrix.path)
    context = click.get_current_context(silent=True)
    strict = bool(context and context.meta.get(LOCKED))
    if not path.exists() and not strict:
        return matrix
    from rocmimg.lock.pin import pinned

    matrix, said = pinned(matrix, path, chosen, strict=strict)
    notes += said
    return matrix


def say_left_out(images: Iterable[ImagePlan]) -> None:
    """Tell which written contexts lack passwords."""
    from rocmimg.plan.export import has_passwords

    if names := [image.id for image in images if has_passwords(image)]:
        click.echo(
            f"note: the passwords of `network` are left out of the contexts of {', '.join(names)}; add them to "
            ".rocmimg/network/env where these are built",
            err=True,
        )


def say(unwritten: Unwritten) -> None:
    """Tell what could not be written."""
    for note in unwritten.notes:
        click.echo(f"rocmimg: {note}", err=True)


def named_values(option_name: str, example: str, options: Sequence[str]) -> dict[str, str]:
    """The values of an option of the form PACKAGE=VALUE, by package."""
    named: dict[str, str] = {}
    for option in options:
        package, equals, value = option.partition("=")
        if not equals or not value or not all(part.isidentifier() for part in package.split(".")):
            raise click.UsageError(f"{option_name} {option}: write for instance {example}")
        named[package] = value
    return named
