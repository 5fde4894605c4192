"""build_ext compiles each kernel file to an object, as AITER's ninja files do, and links the objects of a family."""

import os
import subprocess
from concurrent.futures import ThreadPoolExecutor
from itertools import groupby
from pathlib import Path

from setuptools import Distribution, setup
from setuptools.command.build_ext import build_ext

PACKAGE = Path(__file__).resolve().parent / "hipkernels"
OBJECTS = PACKAGE.parent / "build/objects"
HIPCC = [str(Path(os.environ.get("ROCM_HOME", "/usr")) / "bin/hipcc"), "-O3", "-fPIC"]


def compiled(source: Path) -> Path:
    target = OBJECTS / f"{source.stem}.o"
    archs = (f"--offload-arch={arch}" for arch in os.environ["GPU_ARCHS"].split(";"))
    subprocess.run([*HIPCC, *archs, "-c", str(source), "-o", str(target)], check=True)
    return target


class BuildKernels(build_ext):
    def run(self) -> None:
        if os.environ.get("PREBUILD_KERNELS") != "1":
            return
        (PACKAGE / "lib").mkdir(exist_ok=True)
        OBJECTS.mkdir(parents=True)
        with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
            objects = list(pool.map(compiled, sorted((PACKAGE / "csrc").glob("*.hip"))))
        for family, members in groupby(objects, key=lambda path: path.stem.partition("_")[0]):
            command = [*HIPCC, "-shared", *map(str, members), "-o", str(PACKAGE / f"lib/lib{family}.so")]
            subprocess.run(command, check=True)


class KernelDistribution(Distribution):
    def has_ext_modules(self) -> bool:
        return True


setup(cmdclass={"build_ext": BuildKernels}, distclass=KernelDistribution)
