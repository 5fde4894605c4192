"""What standard error shows while a verb works, the same for all of them."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING

from rocmimg.cli.options import Show, lives

if TYPE_CHECKING:
    from rocmimg.builds.live import LiveView
    from rocmimg.builds.observe import EndingOf, PlainView, QuietView


def view(
    progress: Show, *, verbose: bool, as_json: bool, noun: str = "cell", ending: EndingOf | None = None
) -> AbstractContextManager[LiveView | PlainView | QuietView]:
    """The view that ``--progress`` asks for; JSON alone is not accompanied."""
    from rocmimg.builds.observe import QuietView, ending_of, plain_view
    from rocmimg.builds.progress import Progress

    if progress == "quiet" or (as_json and progress == "auto"):
        return nullcontext(QuietView())
    state, ending = Progress(noun=noun), ending or ending_of
    if lives(progress):
        from rocmimg.builds.live import live_view

        return live_view(verbose=verbose, progress=state, ending=ending)
    return plain_view(verbose=verbose, progress=state, ending=ending)
