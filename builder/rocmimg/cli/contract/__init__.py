"""``rocmimg contract``."""

from __future__ import annotations

import click

from rocmimg.cli.groups import LazyGroup

VERBS = {
    "check": ("Commands", "Compare a framework's AITER calls with the pinned AITER; also without the word check."),
    "window": ("Commands", "Show which releases of a source have a name."),
    "required": ("Commands", "Show which pins have what the matrix requires of them."),
}


@click.group(cls=LazyGroup, package=__name__, verbs=VERBS, default="check")
def command() -> None:
    """Compare a framework's AITER calls with the pinned AITER.

    `rocmimg contract [CELLS]` is `rocmimg contract check [CELLS]`.
    """
