"""The production matrix, read, planned and rendered, against a Python that only imports what this needs."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from measure import ROCMIMG, in_turn

ROOT = Path(__file__).parents[1]
RUNS = 5


def main() -> None:
    """Print every figure."""
    print("production matrix, whole processes")
    with tempfile.TemporaryDirectory() as folder:
        imports = "import click, jinja2, pydantic, yaml"
        medians = in_turn(
            {
                "imports alone": [sys.executable, "-c", imports],
                "rocmimg list": [*ROCMIMG, "list"],
                "rocmimg render -o, every cell": [*ROCMIMG, "render", "*", "-o", folder],
                "rocmimg diff": [*ROCMIMG, "diff", "rocm720-gfx942", "rocm724-gfx942"],
            },
            RUNS,
            ROOT,
        )
    ratio = medians["rocmimg render -o, every cell"] / medians["imports alone"]
    print(f"  {'every cell / imports alone':48} {ratio:7.2f}")


if __name__ == "__main__":
    main()
