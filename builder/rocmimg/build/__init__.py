"""Runs a Plan on an engine: what is up to date, in which order, how many at once, what was cancelled."""

from rocmimg.build.decide import Decision, ImageIndex, decide_all
from rocmimg.build.results import CellResult, exit_code, write_report
from rocmimg.build.runner import Options, run

__all__ = ["CellResult", "Decision", "ImageIndex", "Options", "decide_all", "exit_code", "run", "write_report"]
