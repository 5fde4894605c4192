"""Whole processes, in turn, so that a drifting machine hits all of them alike."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

ROCMIMG = [sys.executable, "-m", "rocmimg"]


def seconds(command: Sequence[str], cwd: Path | None = None) -> float:
    """Wall seconds of one run, which must succeed."""
    began = time.perf_counter()
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)
    took = time.perf_counter() - began
    if done.returncode != 0:
        sys.exit(f"{' '.join(command)}: exit code {done.returncode}\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
    return took


def in_turn(commands: dict[str, Sequence[str]], runs: int, cwd: Path | None = None) -> dict[str, float]:
    """Median wall seconds of each command after one warm-up round; prints them."""
    times: dict[str, list[float]] = {name: [] for name in commands}
    for turn in range(runs + 1):
        for name, command in commands.items():
            took = seconds(command, cwd)
            if turn:
                times[name].append(took)
    for name, values in times.items():
        low, middle, high = min(values), statistics.median(values), max(values)
        print(f"  {name:48} {middle:7.3f} s  (min {low:.3f}, max {high:.3f}, {runs} runs)", flush=True)
    return {name: statistics.median(values) for name, values in times.items()}
