"""The headers that a torch for ROCm has below ATen/hip and c10/hip, made of a CPU torch's by torch's own hipify.

usage: hip_headers.py INCLUDE-FOLDER
"""

import sys
from pathlib import Path

from torch.utils.hipify.hipify_python import hipify

include = Path(sys.argv[1])
# CMake writes these two where torch is built; the values are those of a build for ROCm without MIOpen.
(include / "c10/cuda/impl/cuda_cmake_macros.h").write_text("#pragma once\n#define C10_CUDA_BUILD_SHARED_LIBS\n")
switches = {"CUDNN": 0, "CUSPARSELT": 0, "HIPSPARSELT": 0, "ROCM": 1, "MAGMA": 0}
lines = [f"#define AT_{name}_ENABLED() {value}" for name, value in switches.items()]
(include / "ATen/cuda/CUDAConfig.h").write_text("\n".join(["#pragma once", *lines, ""]))
hipify(
    project_directory=str(include),
    output_directory=str(include),
    includes=[f"{include}/ATen/cuda/*", f"{include}/c10/cuda/*"],
    show_progress=False,
    hip_clang_launch=True,
)
for name in ("ATen/hip/HIPContext.h", "c10/hip/HIPStream.h"):
    if not (include / name).is_file():
        sys.exit(f"hipify made no {name}")
