"""What a change costs with the caches and without: twenty HIP files, compiled as AITER compiles its own.

Each mode builds the same package four times: cold, after a change of one file, after a change of a header that six
files include, and after the bump of a pin that has nothing to do with it. The time is that of the step that compiles,
from build/report.json. Then the shared objects of both modes are compared, byte by byte.

`bench/caches.py MODE...` measures some modes only: ccache, sccache, none.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import uuid
from pathlib import Path
from typing import Any

from measure import ROCMIMG

ROOT = Path(__file__).parents[1]
BASE = "rocmimg/lab-base:dev"
CELL = "kernels-gfx942"
GOAL = 0.25
MODES = ("ccache", "none")
PIN_RECIPE = """\
description: Something else that has a pin
sources: [none]
in_base_stage: true
options: {n: {type: int, default: 0, help: The pin}}
"""
PIN_TEMPLATE = """\
{% extends "components/component.j2" %}{% block install %}
RUN echo {{ options.n }} > /pin
{% endblock %}
"""
LIBRARIES = "cd /workspace/hipkernels/hipkernels/lib && sha256sum *.so"


def matrix(mode: str, run: str, pin: int) -> dict[str, Any]:
    """One cell that compiles the package; a pin of the base stage comes before it."""
    return {
        "targets": {
            "kernels": {
                "gpu_archs": ["gfx942"],
                "base": BASE,
                "image": f"rocmimg-bench/{mode}",
                "cache": {"compiler": mode, "namespace": f"bench-{run}"},
                "flags": {"BUILD_AITER_ALL": True},
                "components": {
                    "pin": {"options": {"n": pin}},
                    "hipkernels": {
                        "uses": "aiter",
                        "source": "local:hipkernels",
                        "module": "hipkernels",
                        "options": {"requirements": ""},
                    },
                },
            }
        }
    }


def built(folder: Path) -> dict[str, Any]:
    """The step that compiles, of one build."""
    done = subprocess.run(
        [*ROCMIMG, "build", CELL, "--no-contract"], cwd=folder, capture_output=True, text=True, check=False
    )
    if done.returncode:
        sys.exit(done.stdout + done.stderr)
    (cell,) = json.loads((folder / "build/report.json").read_text())
    return next(step for step in cell["steps"] if "build_ext" in step["command"] and step["stage"] == "hipkernels")


def libraries(mode: str) -> dict[str, str]:
    """The shared objects of the image that was built last: name -> sha256."""
    from rocmimg.engine import ContainerSpec, connect

    with connect() as engine:
        (tag,) = [tag for image in engine.images() for tag in image.tags if tag.startswith(f"rocmimg-bench/{mode}:")]
        with engine.run(ContainerSpec(image=tag)) as container:
            said = container.exec(["sh", "-c", LIBRARIES], timeout=120).stdout.decode()
        engine.remove(tag, force=True)
    return {name: digest for digest, name in map(str.split, said.splitlines())}


def measure(mode: str, run: str, folder: Path) -> dict[str, float]:
    """Seconds of the step after each change."""
    shutil.copytree(ROOT / "bench/kernels", folder / "hipkernels")
    sources = folder / "hipkernels/hipkernels/csrc"
    recipes = folder / "templates/components"
    recipes.mkdir(parents=True)
    (recipes / "pin.yaml").write_text(PIN_RECIPE)
    (recipes / "pin.j2").write_text(PIN_TEMPLATE)
    took = {}
    for name, change in (
        ("cold", sources / "common.hpp"),
        ("one file of twenty", sources / "gemm_f16_16.hip"),
        ("a header of six files", sources / "norm.hpp"),
        ("an unrelated pin", None),
    ):
        if change:
            # The same text in both modes, so that the results can be compared; new in each run of the benchmark, and no
            # comment, which the preprocessor would take away.
            line = f'static const char* const run_of_{change.stem} __attribute__((unused)) = "{run}";'
            change.write_text(f"{change.read_text()}\n{line}\n")
        (folder / "images.yaml").write_text(json.dumps(matrix(mode, run, int(change is None))))
        step = built(folder)
        cache = step["compiler_cache"] or {"hits": 0, "misses": 0}
        took[name] = step["seconds"]
        part = f"{step['seconds'] / took['cold']:5.2f} of cold"
        numbers = f"{cache['hits']} hits, {cache['misses']} misses"
        print(f"  {mode:8} {name:24} {step['seconds']:7.1f} s  {part}  {numbers}", flush=True)
    return took


def main() -> int:
    """Print every figure; 1 where the goal is missed or results differ."""
    from rocmimg.engine import connect

    with connect() as engine:
        if engine.image(BASE) is None:
            print(f"  not run: the engine has no {BASE}; make demo builds it")
            return 0
    run = uuid.uuid4().hex[:12]
    modes = tuple(sys.argv[1:]) or MODES
    results, times = {}, {}
    for mode in modes:
        with tempfile.TemporaryDirectory() as folder:
            times[mode] = measure(mode, run, Path(folder))
            results[mode] = libraries(mode)
    share = min(
        (took["one file of twenty"] / took["cold"] for mode, took in times.items() if mode != "none"), default=0
    )
    print(f"  after one file of twenty: {share:.2f} of the cold time (goal: at most {GOAL})")
    if len(modes) == 1:
        print("  shared objects: not compared, one mode was measured")
        return int(share > GOAL)
    differ = sorted(
        {name for found in results.values() for name in found if found[name] != results[modes[0]].get(name)}
    )
    print(f"  shared objects of {' and '.join(modes)}: {'different: ' + ', '.join(differ) if differ else 'identical'}")
    return int(share > GOAL or bool(differ))


if __name__ == "__main__":
    os.environ.setdefault("ROCMIMG_CACHE", tempfile.gettempdir() + "/rocmimg-bench-cache")
    sys.exit(main())
