"""Facts about known projects and distributions, read from their sources and from the package index.

A finding that rests on one of these tables says so. What is in none of them is not known, and no error.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True, kw_only=True)
class Project:
    """A source tree, by the name of its repository's folder."""

    package: str
    shadowed: bool
    """Its editable install by setuptools is an import hook, and the checkout has the package's name."""
    folder: str = ""
    """Where in the checkout its build files lie."""


# Read from setup.py and pyproject.toml of each: setuptools without a package_dir for the root gives the import hook.
EDITABLE: Final = {
    "aiter": Project(package="aiter", shadowed=True),
    "sglang": Project(package="sglang", shadowed=True, folder="python"),
    "vllm": Project(package="vllm", shadowed=True),
    "slime": Project(package="slime", shadowed=True),
    "xformers": Project(package="xformers", shadowed=True),
    "transformers": Project(package="transformers", shadowed=False),
    "accelerate": Project(package="accelerate", shadowed=False),
    "diffusers": Project(package="diffusers", shadowed=False),
    "peft": Project(package="peft", shadowed=False),
    "datasets": Project(package="datasets", shadowed=False),
    "trl": Project(package="trl", shadowed=False),
    "verl": Project(package="verl", shadowed=False),
    "tilelang": Project(package="tilelang", shadowed=False),
    "mori": Project(package="mori", shadowed=False, folder="python"),
    "nixl": Project(package="nixl", shadowed=False),
    "primus": Project(package="primus", shadowed=False),
}

# Their metadata requires one exact torch: another one that is installed is replaced.
TORCH_EXACT: Final = frozenset({"vllm", "xformers", "torchvision", "torchaudio", "sglang", "lmdeploy", "torchtext"})
# Their metadata requires torch, within a range.
TORCH_RANGE: Final = frozenset(
    """
    accelerate allennlp auto-gptq auto-round autoawq axolotl basicsr bertopic bitsandbytes botorch captum
    causal-conv1d chatterbox-tts compressed-tensors coqui-tts deepspeed demucs docling e3nn easyocr facenet-pytorch
    fairscale fastai flair flash-attn flash-linear-attention funasr galore-torch gfpgan gptqmodel gpytorch hqq
    kokoro kornia liger-kernel lightning lightning-fabric llmcompressor lm-eval lmcache mamba-ssm marker-pdf
    megatron-core monai nemo-toolkit open-clip-torch openai-whisper optimum optimum-quanto peft pyannote-audio
    pyro-ppl pytorch-lightning pytorch-metric-learning realesrgan sam2 sentence-transformers silero-vad skorch
    spandrel speechbrain stable-baselines3 stanza surya-ocr tensordict timm torch-geometric torchao torchdata
    torchmetrics torchsde torchtune transformer-lens trl tts ultralytics unsloth vector-quantize-pytorch whisperx
    x-transformers xgrammar
    """.split()  # noqa: SIM905
)
# Their metadata requires the distribution triton, which ROCm's builds of torch do not bring under that name.
NEEDS_TRITON: Final = frozenset({"flash-linear-attention", "liger-kernel", "unsloth", "unsloth-zoo"})

# The index has wheels of them, built for CUDA (or, llama-cpp's like, has a default build): variables change nothing.
CUDA_WHEELS: Final = frozenset(
    """
    ctranslate2 cupy-cuda12x cupy-cuda13x deep-ep flashinfer-python gptqmodel lmcache mooncake-transfer-engine
    onnxruntime-gpu sgl-kernel sglang-kernel torch torchaudio torchvision triton vllm xformers
    """.split()  # noqa: SIM905
)
# The index has only their sources: pip compiles GPU code.
GPU_SOURCES: Final = frozenset(
    {"apex", "causal-conv1d", "exllamav2", "flash-attn", "grouped-gemm", "mamba-ssm", "megablocks", "natten"}
    | {"gsplat", "pytorch3d", "torch-cluster", "torch-scatter", "torch-sparse", "torch-spline-conv"}
)

# Their builds ask setuptools_scm for the version.
SCM_USERS: Final = frozenset(
    {"aiter", "atom", "mori", "sglang", "tilelang", "vllm", "vllm-omni", "flashinfer", "triton"}
)

# Checkouts whose build compiles GPU code, and those whose build for HIP uses the runtime only.
GPU_BUILDS: Final = frozenset(
    {"aiter", "apex", "causal-conv1d", "exllamav2", "fast-hadamard-transform", "flash-attention", "flash_attention"}
    | {"mamba", "pytorch", "sgl-kernel", "vision", "vllm", "xformers", "bitsandbytes", "mori"}
)
# Their CMakeLists.txt has a list of archs of its own for a build that names none.
LISTED_BUILDS: Final = frozenset(
    {"hipblas", "hipblaslt", "hipcub", "hipfft", "hiprand", "hipsolver", "hipsparse", "miopen", "rccl", "rccl-tests"}
    | {"rocalution", "rocblas", "rocfft", "rocprim", "rocrand", "rocsolver", "rocsparse", "rocthrust", "rocwmma"}
    | {"transferbench", "rocmvalidationsuite"}
)
NO_GPU_BUILDS: Final = frozenset(
    {"mooncake", "nixl", "ompi", "openmpi", "ucx", "triton", "audio", "amd_smi", "amdsmi", "transformers", "tvm"}
    | {"accelerate"}
)
