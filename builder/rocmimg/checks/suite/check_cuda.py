"""Nothing of CUDA in a ROCm image."""

from __future__ import annotations

import re
from typing import Final

from rocmimg.checks import Image, check, fail, not_applicable

_CUDA: Final = re.compile(
    r"nvidia-(?!ml-py$).*|cuda-(bindings|toolkit|pathfinder|python|core)|cufile(-python)?|cupy-cuda.*|.*-cu1[0-9]|pycuda"
)
"""Distributions that bring CUDA's libraries. nvidia-ml-py is Python alone, and does nothing without a driver."""
_LIBRARY: Final = re.compile(
    r"lib(cuda|cudart|cublas(Lt)?|cudnn|cufft|curand|cusparse|cusolver|nvrtc|nccl)\.so(\.\d+)*"
)


@check("cuda-distributions", tier="image", classes=["F02"])
def check_cuda_distributions(image: Image) -> None:
    """No distribution of CUDA is installed."""
    found = [one for one in image.probe["distributions"] if _CUDA.fullmatch(one["name"].lower().replace("_", "-"))]
    if found:
        fail(
            ", ".join(f"{one['name']} {one['version']}" for one in found),
            cause="the resolver took a CUDA build of something, mostly of torch",
            fix="install with the base's constraints (`keep: [torch, ...]`) or --no-deps",
        )


@check("cuda-libraries", tier="image", classes=["F02"])
def check_cuda_libraries(image: Image) -> None:
    """No shared object of a Python package needs CUDA's libraries."""
    site = tuple(image.probe["interpreter"]["site"])
    for one in image.probe["files"]["objects"]:
        ours = one["path"].startswith(site) or one["owner"] in {c.name for c in image.expect.components}
        # Triton and others carry a backend that is opened on NVIDIA machines only.
        if ours and "/backends/nvidia/" not in one["path"]:
            needs = [name for name in one.get("needed", []) if _LIBRARY.fullmatch(name)]
            if needs:
                fail(
                    f"{one['path']} needs {', '.join(needs)}",
                    cause="it is a build for CUDA",
                    fix=f"build {one['owner']} from source for ROCm, or install its ROCm wheel",
                )


@check("torch-build", tier="import", classes=["F01"])
def check_torch_build(image: Image) -> None:
    """torch is the ROCm build."""
    found = image.probe["imports"].get("torch")
    versions = [one["version"] for one in image.probe["distributions"] if one["name"] == "torch"]
    if found is None and not versions:
        not_applicable("there is no torch in the image")
    version = (versions or [found["version"]])[0]
    hip, cuda = (found or {}).get("hip"), (found or {}).get("cuda")
    image.note(version=version, hip=hip, cuda=cuda)
    if cuda or "+cu" in version:
        _wrong(f"torch {version} is a build for CUDA {cuda or ''}".rstrip())
    if image.expect.torch == "cpu":
        not_applicable(f"images.yaml asks for a CPU build (checks.torch), and torch {version} is none for CUDA")
    if found and found["error"]:
        fail(f"torch {version} cannot be imported: {found['error']}", cause="see the check `import`", fix="mend that")
    if not hip:
        _wrong(f"torch {version} has no HIP")


def _wrong(what: str) -> None:
    fail(
        what,
        cause="a later `pip install` resolved torch anew and replaced the base's ROCm build",
        fix="`keep: [torch, torchvision, torchaudio, triton]` in images.yaml, so that every pip has the base's as a "
        "constraint",
    )
