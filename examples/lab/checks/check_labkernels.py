"""The lab's own checks: a project keeps such a folder beside its images.yaml and names it under `checks.folder`."""

import json
import math
import random

from rocmimg.checks import Image, check, fail, not_run

LIMIT_S = 120.0
TOLERANCE = 1e-5

LAUNCH = """
import json, sys, labkernels
x, y, weight = json.load(sys.stdin)
try:
    print(json.dumps({"vector_add": labkernels.vector_add(x, y), "rmsnorm": labkernels.rmsnorm([x, y], weight)}))
except labkernels.NoGpuError:
    print(json.dumps(None))
"""


def launch(image: Image, values):
    done = image.container.exec(["python3", "-c", LAUNCH], stdin=json.dumps(values).encode(), timeout=LIMIT_S)
    if done.timed_out:
        fail(f"the kernels hang: ended after {LIMIT_S:.0f} s", cause="the launch never ends", fix="see dmesg on the host")
    if done.exit_code:
        last = done.stderr.decode(errors="replace").strip().splitlines()[-1:]
        fail(f"labkernels: {' '.join(last)}", cause="the library or the HIP runtime does not work", fix="rebuild it")
    return json.loads(done.stdout)


@check("labkernels-load", tier="import", classes=["F26"])
def check_labkernels_load(image: Image) -> None:
    """The kernel library loads and reaches the HIP runtime; without a GPU that is as far as it can get."""
    launch(image, [[1.0], [2.0], [1.0]])


@check("labkernels-launch", tier="gpu", classes=["F26"])
def check_labkernels_launch(image: Image) -> None:
    """vector_add and rmsnorm give what float64 arithmetic gives."""
    generator = random.Random(image.expect.cell)
    x, y, weight = ([generator.uniform(-4, 4) for _ in range(512)] for _ in range(3))
    found = launch(image, [x, y, weight])
    if found is None:
        not_run("no AMD GPU in the container")

    def norm(row):
        scale = math.sqrt(math.fsum(v * v for v in row) / len(row) + 1e-6)
        return [v / scale * w for v, w in zip(row, weight, strict=True)]

    pairs = {
        "vector_add": (found["vector_add"], [a + b for a, b in zip(x, y, strict=True)]),
        "rmsnorm": ([v for row in found["rmsnorm"] for v in row], norm(x) + norm(y)),
    }
    for name, (got, wanted) in pairs.items():
        difference = math.sqrt(math.fsum((g - w) ** 2 for g, w in zip(got, wanted, strict=True)))
        error = difference / math.sqrt(math.fsum(w * w for w in wanted))
        # `not <=` so that NaN, with which nothing compares, does not pass.
        if not error <= TOLERANCE:
            fail(
                f"{name} is wrong by {error:.2g} (relative), {TOLERANCE:g} is allowed",
                cause="the code object does not fit the GPU, or the kernel was miscompiled",
                fix="build with another compiler (BUILD_LLVM) and compare",
            )
