"""F02: NVIDIA's packages in an image for ROCm."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from rocmimg.lint.context import LintFile, Run
from rocmimg.lint.installs import pip_install
from rocmimg.lint.model import Evidence, Hit, Level, Rule

_NAME: Final = re.compile(
    r"nvidia-(?!ml-py).*|cupy-cuda\d+x?|pycuda|cuda-(?:python|bindings|toolkit|pathfinder|core)|.*-cu1[1-3]\d?|tensorrt.*"
    r"|pynvml|cudf.*|onnxruntime-gpu|nvtx|faiss-gpu.*|cutlass|jax-cuda\d+.*|dali|transformer-engine-cu\d+"
)
# They work without an NVIDIA GPU: pure Python, a reader of what is not there, a disassembler that packages require.
_HARMLESS: Final = frozenset({"pynvml", "nvidia-ml-py", "nvidia-modelopt", "nvtx", "nvidia-cuda-nvdisasm"})
_SYSTEM: Final = re.compile(r"(?:cuda-toolkit|cuda-\d.*|nvidia-cuda-toolkit|libcudnn\d.*|libnccl\d?.*|libcublas.*)")


def _both(file: LintFile, run: Run) -> bool:
    """The stage has CUDA's compiler as well: an image for both is meant."""
    return any(
        re.search(rb"(?<![\w-])cuda-(?:nvcc|compiler)|(?<![\w-])nvcc\b", file.source.data[i.start : i.end])
        for stage in file.scopes.lineage(run.stage, file.scopes.variants_of(run.stage)[0])
        for i in stage.instructions
    )


def check(file: LintFile) -> Iterable[Hit]:
    for run, command in file.commands():
        pip = pip_install(command)
        found = [(need.name, need.word) for need in pip.requirements if _NAME.fullmatch(need.name)] if pip else []
        if command.name in {"apt-get", "apt", "dnf", "yum"} and "install" in command.values():
            found = [(word.value, word) for word in command.words if _SYSTEM.fullmatch(word.value)]
        if not found or not file.for_rocm(run.stage) or file.by_default(run, command) is not True or _both(file, run):
            continue
        if any("nvidia" in image.name or "cuda" in image.name for image in file.images(run.stage)):
            continue
        sure = [(name, word) for name, word in found if name not in _HARMLESS]
        for chosen, evidence in ((sure, Evidence.TEXT), ([f for f in found if f not in sure], Evidence.ASSUMED)):
            if chosen:
                names = ", ".join(dict.fromkeys(name for name, _ in chosen))
                message = f"{names}: for NVIDIA GPUs, in a stage for ROCm"
                if evidence is Evidence.ASSUMED:
                    message = f"{names}: NVIDIA's tools; of use in a stage for ROCm only where nothing needs the GPU"
                yield Hit(start=chosen[0][1].start, end=chosen[-1][1].end, message=message, evidence=evidence)


RULE: Final = Rule(
    id="ROC059",
    failure_class="F02",
    level=Level.WARNING,
    title="NVIDIA's packages are installed in an image for ROCm",
    why="They are gigabytes that no AMD GPU runs; what finds them takes the CUDA path.",
    fix="Leave them out, or install the build for ROCm (cupy-rocm-7-0, onnxruntime-rocm).",
    case="pytorch#98096",
    bad="FROM rocm/pytorch:rocm7.2\nRUN pip install --no-deps nvidia-cublas-cu12==12.1\n",
    good="FROM rocm/pytorch:rocm7.2\nRUN pip install --no-deps cupy-rocm-7-0==14.0\n",
    check=check,
)
