"""Backends that packages bring along and open on request only: that one cannot be loaded here is worth a note."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

OPTIONAL: Final[Mapping[str, str]] = {
    "bitsandbytes": r"libbitsandbytes_(cuda|xpu|rocm|hip|npu|hpu)\w*\.so",
    "cupy": r"cupy_backends/cuda/.*",
    "mooncake": r".*(nvlink|cuda|ascend|cxl).*\.so",
    "nixl": r".*(plugin|libplugin).*\.so|.*\.libs/.*",
    "torch": r"lib/lib(torch_nvshmem|c10d_cuda_test)\.so|lib/libtorch_cuda\w*\.so",
    "torchaudio": r"lib/(_torchaudio_sox|libtorchaudio_sox|lib_?torio_ffmpeg\d?|_torio_ffmpeg\d?)\.so"
    r"|_extension/.*ffmpeg.*",
    "torchcodec": r"libtorchcodec_\w*\d+\.so",
    "triton": r"backends/nvidia/.*",
}
"""Import name -> pattern of the path below it. Each is opened inside `try`, or after the user has chosen it."""
_BACKEND: Final = re.compile(r"/backends?/(nvidia|cuda|xpu|ascend|metal|vulkan|musa)/", re.IGNORECASE)
_PACKAGE: Final = re.compile(r"-packages/([^/]+)/(.*)")
CUDA: Final = re.compile(
    r"lib(cuda|cudart|cublas(Lt)?|cudnn\w*|cufft\w*|curand|cusparse(Lt)?|cusolver\w*|cufile\w*|cupti|nvrtc[\w-]*"
    r"|nvJitLink|nvToolsExt|nvshmem\w*|nvidia-ml|nccl|torch_cuda\w*|c10_cuda)\.so(\.\d+)*"
)
"""Libraries of CUDA, by their SONAME."""


def optional(path: str) -> bool:
    """Whether a library of a Python package is a backend that only a request opens."""
    found = _PACKAGE.search(path)
    package, below = (found[1], found[2]) if found else ("", "")
    pattern = OPTIONAL.get(package)
    return bool(_BACKEND.search(path) or (pattern and re.fullmatch(pattern, below)))
