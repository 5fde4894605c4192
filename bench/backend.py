"""What testinfra's `host` costs over the engine's own call: the same commands both ways, in one container of the lab.

Checks go through `host`, which splits and quotes command lines; the command itself and its limits are the engine's.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from measure import ROCMIMG

from rocmimg.checks.backend import host_of, outcome
from rocmimg.engine import ContainerSpec, connect

ROOT = Path(__file__).resolve().parents[1]
CELL = "lab-gfx942"
ROUNDS = 15
COMMANDS = (
    ["python3", "-c", "import labkernels"],
    ["/bin/sh", "-c", "command -v hipcc"],
    ["cat", "/etc/os-release"],
)


def main() -> None:
    """Print the medians of a round of commands, and their ratio."""
    command = [*ROCMIMG, "list", CELL, "--json"]
    env = os.environ | {"ROCMIMG_FILE": "examples/lab/images.yaml"}
    listed = json.loads(subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, check=True).stdout)
    with connect() as engine:
        image = engine.image(listed[0]["tags"][0])
        if image is None:
            print("  not run: the lab image is not there: make demo")
            return
        with engine.run(ContainerSpec(image=image.id)) as container:
            host = host_of(container)

            def direct() -> None:
                for argv in COMMANDS:
                    container.exec(argv, timeout=60)

            def through_host() -> None:
                for argv in COMMANDS:
                    outcome(host, argv)

            times: dict[Callable[[], None], list[float]] = {direct: [], through_host: []}
            for turn in range(ROUNDS + 1):
                for way, taken in times.items():
                    began = time.perf_counter()
                    way()
                    if turn:
                        taken.append(time.perf_counter() - began)
    for name, taken in zip(("the engine's own call", "testinfra's host"), times.values(), strict=True):
        print(f"  {name:48} {statistics.median(taken):7.3f} s  (min {min(taken):.3f}, max {max(taken):.3f})")
    plain, hosted = (statistics.median(taken) for taken in times.values())
    print(f"  ratio: through host a command takes {hosted / plain:.2f} of the time")


if __name__ == "__main__":
    main()
