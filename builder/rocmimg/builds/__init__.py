"""Runs a Plan on an engine: what is up to date, in which order, how many at once, what was cancelled."""

from rocmimg.builds.decide import Decision, ImageIndex, decide_all
from rocmimg.builds.results import CellResult, exit_code, write_report
from rocmimg.builds.runner import Options, run

__all__ = ["CellResult", "Decision", "ImageIndex", "Options", "decide_all", "exit_code", "run", "write_report"]
