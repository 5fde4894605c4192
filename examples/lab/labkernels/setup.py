"""build_ext compiles the kernels with hipcc where PREBUILD_KERNELS=1, for the archs in GPU_ARCHS ("gfx942;gfx950")."""

import os
import sys
from pathlib import Path

from setuptools import Distribution, setup
from setuptools.command.build_ext import build_ext

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE / "labkernels"))
import compiler  # noqa: E402


class BuildKernels(build_ext):
    """Kernels are no Python extensions: hipcc makes plain shared objects, which labkernels opens with ctypes."""

    def run(self):
        """Compile every kernel, or none: then each is compiled at its first use."""
        if os.environ.get("PREBUILD_KERNELS", "0") != "1":
            return
        package = HERE if self.inplace else Path(self.build_lib)
        for name in compiler.KERNELS:
            print(f"hipcc {name} for {compiler.gpu_archs()}", flush=True)
            compiler.compile_kernel(name, package / "labkernels" / "lib")


class KernelDistribution(Distribution):
    """Makes `bdist_wheel` run build_ext and name the platform."""

    def has_ext_modules(self):
        return True


setup(cmdclass={"build_ext": BuildKernels}, distclass=KernelDistribution)
