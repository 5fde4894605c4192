"""``rocmimg lock``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from rocmimg.cli.options import Choice, selection_options
from rocmimg.errors import LockIncomplete, RocmimgError
from rocmimg.terminal import json_text

if TYPE_CHECKING:
    from rocmimg.lock.changes import Change


@click.command()
@selection_options
@click.option("--check", is_flag=True, help="Write nothing; exit code 1 where a name means something else by now.")
@click.option("--diff", is_flag=True, help="Write nothing; show what would change, with links to compare.")
@click.option("--accept-alarms", is_flag=True, help="Take over tags and files that should never have changed.")
@click.option("--json", "as_json", is_flag=True, help="An array of objects: kind, what, before, after, link.")
def command(
    choice: Choice,
    check: bool,
    diff: bool,
    accept_alarms: bool,
    as_json: bool,
) -> int:
    """Look up refs, base images and packages, and pin them in images.lock.yaml.

    With a selection only its part is looked up; the rest of the lock stays. What cannot be looked up is named with the
    cells that want it, and everything else is written (exit code 19).
    """
    from rocmimg.lock.update import update

    if check and diff:
        raise click.UsageError("--check and --diff exclude each other")
    selected = choice.load(lock=False, fetches=True)
    result = update(
        selected.matrix,
        selected.ids if choice.restricts else None,
        write=not (check or diff),
        accept_alarms=accept_alarms,
        local_id=local_id,
    )
    if as_json:
        click.echo(json_text([change.as_json() for change in result.changes]))
    else:
        _print(result.changes)
        click.echo(result.summary, err=True)
    if result.failures:
        raise LockIncomplete(
            f"{len(result.failures)} look-ups failed",
            why="\n  " + "\n  ".join(map(str, result.failures)),
            next_step="the rest is as it says above; correct these and run the same command again",
        )
    return 1 if check and result.stale else 0


def local_id(reference: str, absent: bool) -> str:
    """The id that this machine's engine has for an image that is in no registry, as far as both can tell."""
    from rocmimg.engine import connect

    try:
        with connect() as engine:
            found = engine.image(reference)
    except RocmimgError:
        return ""
    return found.id if found and (absent or not found.digests) else ""


def _print(changes: list[Change]) -> None:
    for change in changes:
        click.echo(str(change))
