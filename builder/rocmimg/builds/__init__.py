"""Runs a Plan on an engine: what is up to date, in which order, how many at once, what was cancelled."""

from typing import TYPE_CHECKING

from rocmimg.lazy import lazily

if TYPE_CHECKING:
    from rocmimg.builds.decide import Decision, ImageIndex, decide_all
    from rocmimg.builds.results import CellResult, exit_code, write_report
    from rocmimg.builds.runner import Options, run
else:
    __getattr__ = lazily(
        __name__,
        {
            "decide": ("Decision", "ImageIndex", "decide_all"),
            "results": ("CellResult", "exit_code", "write_report"),
            "runner": ("Options", "run"),
        },
    )

__all__ = ["CellResult", "Decision", "ImageIndex", "Options", "decide_all", "exit_code", "run", "write_report"]
