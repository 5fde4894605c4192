"""Whole processes, in turn, so that a drifting machine hits all of them alike."""

from __future__ import annotations

import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

ROCMIMG = [sys.executable, "-m", "rocmimg"]


def seconds(command: Sequence[str], cwd: Path | None = None) -> float:
    """Wall seconds of one run, which must succeed."""
    began = time.perf_counter()
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)
    took = time.perf_counter() - began
    if done.returncode != 0:
        sys.exit(f"{' '.join(command)}: exit code {done.returncode}\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
    return took


class Took(NamedTuple):
    """Seconds on the clock, and of processors: the second says more where other work runs beside."""

    wall: float
    cpu: float


def _took(command: Sequence[str], cwd: Path | None) -> Took:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    wall = seconds(command, cwd)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return Took(wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)


def in_turn(commands: dict[str, Sequence[str]], runs: int, cwd: Path | None = None) -> dict[str, float]:
    """Median wall seconds of each command after one warm-up round; prints them."""
    return {name: took.wall for name, took in both_in_turn(commands, runs, cwd).items()}


def both_in_turn(commands: dict[str, Sequence[str]], runs: int, cwd: Path | None = None) -> dict[str, Took]:
    """The same, with the seconds of processors."""
    times: dict[str, list[Took]] = {name: [] for name in commands}
    for turn in range(runs + 1):
        for name, command in commands.items():
            took = _took(command, cwd)
            if turn:
                times[name].append(took)
    median: dict[str, Took] = {}
    for name, values in times.items():
        walls, cpus = zip(*values, strict=True)
        median[name] = middle = Took(statistics.median(walls), statistics.median(cpus))
        print(
            f"  {name:48} {middle.wall:7.3f} s  (min {min(walls):.3f}, max {max(walls):.3f}, CPU {middle.cpu:.3f}, "
            f"{runs} runs)",
            flush=True,
        )
    return median
