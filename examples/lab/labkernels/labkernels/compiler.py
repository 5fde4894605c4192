"""hipcc on one kernel file. setup.py uses it ahead of time, the package at first use."""

import os
import subprocess
from pathlib import Path

KERNELS = ("vector_add", "rmsnorm")
_SOURCES = Path(__file__).resolve().parent / "csrc"


def gpu_archs():
    """The archs to compile for, from GPU_ARCHS.

    Without an arch and without a GPU hipcc would quietly compile for gfx906, so an empty list is an error.
    """
    archs = [arch for arch in os.environ.get("GPU_ARCHS", "").split(";") if arch]
    if not archs:
        raise RuntimeError("GPU_ARCHS is not set: say which GPUs to compile for, for instance GPU_ARCHS=gfx942")
    return archs


def compile_kernel(name, folder):
    """Compile csrc/NAME.hip to FOLDER/libNAME.so and return its path."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / f"lib{name}.so"
    command = ["hipcc", "-O3", "-fPIC", "-shared", *(f"--offload-arch={arch}" for arch in gpu_archs())]
    subprocess.run([*command, "-o", str(target), str(_SOURCES / f"{name}.hip")], check=True)
    return target
