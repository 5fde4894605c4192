"""The failure classes that checks name, in words. docs/failure-classes.md is made from this."""

from __future__ import annotations

from typing import Final

CLASSES: Final = {
    "F01": "torch is not the ROCm build",
    "F02": "distributions or libraries of CUDA",
    "F03": "several Triton distributions in one folder",
    "F04": "requirements lost from a distribution's metadata",
    "F06": "an extension built against another torch",
    "F07": "pybind11 internals of several releases",
    "F08": "C or C++ library older than a binary needs",
    "F09": "an editable install that is a namespace package from the work directory",
    "F10": "kernels that were to be prebuilt are missing",
    "F11": "a version stamp of another project",
    "F12": "variables that only interactive or login shells have",
    "F13": "build-time variables left in the image",
    "F14": "HSA_OVERRIDE_GFX_VERSION baked in, or empty",
    "F15": "a user without access to the GPU's devices",
    "F20": "amdgpu.ids missing or too old",
    "F21": "two copies of a ROCm library in one process",
    "F22": "torch's own HIP runtime against the system's",
    "F23": "a shared library is missing",
    "F25": "network card drivers against libibverbs",
    "F26": "GPU code missing, or for other architectures",
    "F27": "BLAS kernel libraries without the architecture",
    "F31": "stale locks and closed folders of compilers at run time",
    "F33": "a checkout that is not at its pin",
    "F40": "size and leftovers",
    "F42": "the image cannot start what ENTRYPOINT and CMD name",
    "F43": "Python requirements that are missing or at the wrong version",
    "F44": "a distribution is installed and its library cannot be loaded",
    "F45": "a wheel with a library per release of ROCm, without the image's",
    "F46": "a BLAS library without its kernel data",
    "F47": "a second HIP runtime that is opened after torch has its own",
    "F49": "something installed twice: the first stays in a layer",
    "F53": "an image that does not run restricted",
}
