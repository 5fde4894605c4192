"""Two HIP kernels, called through ctypes; compiled into the image, or at first use."""

import ctypes
from functools import lru_cache
from pathlib import Path

from . import compiler

__all__ = ["NoGpuError", "library", "rmsnorm", "vector_add"]

_NO_DEVICE = 100  # hipErrorNoDevice
_LIB = Path(__file__).resolve().parent / "lib"


class NoGpuError(RuntimeError):
    """The machine has no AMD GPU."""


@lru_cache(maxsize=None)
def library(name):
    """The kernel's shared object, compiled now if the image does not have it."""
    path = _LIB / f"lib{name}.so"
    return ctypes.CDLL(str(path if path.exists() else compiler.compile_kernel(name, _LIB)))


def _floats(values):
    return (ctypes.c_float * len(values))(*values)


def _call(name, *arguments):
    code = getattr(library(name), f"labkernels_{name}")(*arguments)
    if code == _NO_DEVICE:
        raise NoGpuError("no AMD GPU")
    if code:
        raise RuntimeError(f"{name}: HIP error {code}")


def vector_add(a, b):
    """The sums of two lists of floats."""
    out = _floats([float("nan")] * len(a))
    _call("vector_add", _floats(a), _floats(b), out, ctypes.c_int(len(a)))
    return list(out)


def rmsnorm(x, weight, eps=1e-6):
    """Each row of ``x`` (a list of rows) divided by its root mean square, times ``weight``."""
    rows, columns = len(x), len(weight)
    out = _floats([float("nan")] * (rows * columns))
    flat = _floats([value for row in x for value in row])
    _call("rmsnorm", flat, _floats(weight), out, ctypes.c_int(rows), ctypes.c_int(columns), ctypes.c_float(eps))
    return [list(out[row * columns : (row + 1) * columns]) for row in range(rows)]
