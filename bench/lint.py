"""How fast the linter is: a folder, one file and a file of four lines against hadolint in the same run, and its growth.

Needs hadolint beside the Python that runs, or on PATH (dependency group dev).
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path

from measure import ROCMIMG, both_in_turn

RUNS = 3
FILES = 24
SMALL = 'FROM ubuntu:24.04\nRUN apt-get update && apt-get install -y hipcc\nRUN hipcc --version\nCMD ["hipcc"]\n'
HEAD = """\
ARG GPU_ARCH=gfx950
FROM rocm/pytorch:rocm7.2_ubuntu22.04 AS gfx942
ENV BUILD_TRITON="1"
FROM rocm/pytorch:rocm7.2_ubuntu22.04 AS gfx950
ENV BUILD_TRITON="1"
FROM ${GPU_ARCH}
ARG GPU_ARCH
ENV GPU_ARCH_LIST=${GPU_ARCH%%-*}
WORKDIR /src
"""
# A component as recipes in the field write it: a quoted script, a case, a loop. No here-document: hadolint reads none.
COMPONENT = """\
ARG PART{n}_REPO="https://example.com/part{n}.git"
ARG PART{n}_COMMIT="c16d44b93a528b2a4bfd6d8d3409116d465872a9"
# Sources of part {n}
RUN git clone ${{PART{n}_REPO}} \\
 && cd part{n} \\
 && git checkout ${{PART{n}_COMMIT}} \\
 && git submodule update --init --recursive
RUN set -eux; \\
    case "${{GPU_ARCH}}" in \\
      gfx942*) \\
        echo "building part {n} for ${{GPU_ARCH}}"; \\
        apt-get update \\
        && apt-get install -y --no-install-recommends \\
             build-essential \\
             libdrm-dev=2.4.{n} \\
        && rm -rf /var/lib/apt/lists/*; \\
        ;; \\
      *) \\
        echo "nothing for ${{GPU_ARCH}}"; \\
        ;; \\
    esac
RUN /bin/bash -lc 'set -euo pipefail; \\
  # tools of part {n}
  VENV_PIP="/opt/venv/bin/pip"; \\
  if [ ! -x "$VENV_PIP" ]; then VENV_PIP="pip3"; fi; \\
  for file in /opt/rocm/llvm/bin/llvm-config /opt/rocm/bin/hipcc; do \\
    if [ -x "$file" ]; then FOUND="$file"; break; fi; \\
  done; \\
  "$VENV_PIP" install --no-cache-dir "cmake==4.3.4" "ninja==1.13.0"; \\
  curl -fsSL --retry 5 --retry-all-errors https://example.com/part{n}-1.{n}.tar.gz -o /tmp/part{n}.tar.gz; \\
  tar -xzf /tmp/part{n}.tar.gz -C /opt; \\
  rm /tmp/part{n}.tar.gz'
RUN cd part{n} \\
 && if [ "$BUILD_TRITON" = "1" ]; then \\
      sh -c "GPU_ARCHS=$GPU_ARCH_LIST pip install --no-deps --config-settings editable_mode=compat -e ."; \\
    else \\
      GPU_ARCHS=$GPU_ARCH_LIST python3 setup.py build_ext --inplace; \\
    fi
RUN python3 -c "import part{n}; \\
    print(part{n}.__file__)"

"""


def sample(lines: int) -> str:
    """A Dockerfile of about so many lines."""
    per_component = COMPONENT.count("\n")
    return HEAD + "".join(COMPONENT.format(n=n) for n in range(max(1, lines // per_component)))


def main() -> None:
    """Measure and say."""
    hadolint = shutil.which("hadolint", path=str(Path(sys.executable).parent)) or shutil.which("hadolint")
    if hadolint is None:
        print("lint: not run: hadolint is not installed (dependency group dev)")
        return
    lint = [*ROCMIMG, "lint"]
    with tempfile.TemporaryDirectory() as name:
        files = {lines: Path(name, f"{lines}.Dockerfile") for lines in (850, 3400)}
        for lines, path in files.items():
            path.write_text(sample(lines))
        folder = Path(name, "folder")
        folder.mkdir()
        many = [folder / f"{number}.Dockerfile" for number in range(FILES)]
        for number, path in enumerate(many):
            path.write_text(sample(60 + 60 * (number % 5)))
        small = Path(name, "small.Dockerfile")
        small.write_text(SMALL)
        commands = {
            "rocmimg lint --explain (start only)": [*ROCMIMG, "lint", "--explain", "ROC009"],
            "rocmimg lint, 4 lines": [*lint, str(small)],
            **{f"rocmimg lint, {lines} lines": [*lint, str(path)] for lines, path in files.items()},
            "hadolint, 850 lines": [hadolint, "--no-fail", str(files[850])],
            f"rocmimg lint, {FILES} files": [*lint, str(folder)],
            f"hadolint, {FILES} files": [hadolint, "--no-fail", *map(str, many)],
        }
        took = both_in_turn(commands, RUNS)
    print(f"lint: a file of 4 lines {took['rocmimg lint, 4 lines'].wall:.2f} s")
    for index, what in enumerate(("on the clock", "of processors")):
        seconds = {name: one[index] for name, one in took.items()}
        start = seconds["rocmimg lint --explain (start only)"]
        growth = (seconds["rocmimg lint, 3400 lines"] - start) / (seconds["rocmimg lint, 850 lines"] - start)
        faster = seconds[f"hadolint, {FILES} files"] / seconds[f"rocmimg lint, {FILES} files"]
        one = seconds["rocmimg lint, 850 lines"] / seconds["hadolint, 850 lines"]
        print(
            f"lint, {what}: {FILES} files {faster:.1f} times as fast as hadolint; "
            f"{one:.2f} times its time on one file; four times the lines take {growth:.2f} times the time"
        )


if __name__ == "__main__":
    main()
