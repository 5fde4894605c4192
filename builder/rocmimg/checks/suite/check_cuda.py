"""Nothing of CUDA in a ROCm image."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from rocmimg.checks import Image, check, fail, not_applicable
from rocmimg.checks.suite.optional import CUDA, optional

_CUDA: Final = re.compile(
    r"nvidia-(?!ml-py$|smi$|modelopt).*|cuda-(bindings|toolkit|pathfinder|python|core)|cufile(-python)?|cupy-cuda.*"
    r"|.*-cu1[0-9]|pycuda"
)
"""Distributions that bring CUDA's libraries; those whose files are Python alone are judged by what they bring."""
_FOR_CUDA: Final = re.compile(r"(.+)-cu1[0-9]")
"""The name of a build for CUDA. NIXL's is called so whatever it was built for."""
_ROCM_NAME: Final = re.compile(r"(?:^|lib|[_.-])(rocm|hip|amd(?!64)|gfx)", re.IGNORECASE)
_ROCM_LIBRARY: Final = re.compile(r"lib(amdhip64|hsa-runtime64|roc\w+|hip\w+|MIOpen|rccl)\.so")


@check("cuda-distributions", tier="image", classes=["F02"])
def check_cuda_distributions(image: Image) -> None:
    """No distribution brings CUDA's libraries."""
    owners = {one["owner"] for one in image.probe["files"]["objects"]}
    ours = {component.module.replace("_", "-") for component in image.expect.components if component.module}
    for one in image.probe["distributions"]:
        if (built := _FOR_CUDA.fullmatch(one["name"].lower().replace("_", "-"))) and built[1] in ours:
            continue  # built in the image; what its libraries need is judged by cuda-libraries
        packages = set(one["packages"])
        native = not packages or bool(packages & owners)
        if _CUDA.fullmatch(one["name"].lower().replace("_", "-")) and native:
            image.finding(
                f"{one['name']} {one['version']}",
                path=one.get("metadata") or one["path"] if one.get("path") else "",
                cause="the resolver took a CUDA build of something, mostly of torch",
                fix="install with the base's constraints (`keep: [torch, ...]`) or --no-deps",
            )


@check("cuda-libraries", tier="image", classes=["F02"])
def check_cuda_libraries(image: Image) -> None:
    """No library of a Python package needs CUDA's libraries, unless the package has one for ROCm beside it."""
    site = tuple(image.probe["interpreter"]["site"])
    components = {component.name for component in image.expect.components}
    objects = [
        one for one in image.probe["files"]["objects"] if one["path"].startswith(site) or one["owner"] in components
    ]
    rocm = {one["owner"] for one in objects if _is_rocm(one)}
    beside: dict[str, list[str]] = {}
    for one in objects:
        needs = [name for name in one.get("needed", []) if CUDA.fullmatch(name)]
        # Triton and others carry a backend that is opened on NVIDIA machines only.
        if not needs or _is_rocm(one):
            continue
        if optional(one["path"]) or one["owner"] in rocm:
            beside.setdefault(one["owner"], []).append(one["path"])
            continue
        image.finding(
            f"{one['path']} needs {', '.join(needs)}",
            path=one["path"],
            cause="it is a build for CUDA",
            fix=f"build {one['owner']} from source for ROCm, or install its ROCm wheel",
        )
    for owner, paths in beside.items():
        image.remark(
            f"{owner} brings {len(paths)} libraries for CUDA beside others, for instance {paths[0]}", path=paths[0]
        )


def _is_rocm(one: Mapping[str, Any]) -> bool:
    name = one["path"].rpartition("/")[2]
    return bool(one["archs"] or _ROCM_NAME.search(name) or any(_ROCM_LIBRARY.match(n) for n in one.get("needed", [])))


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
    if not image.expect.planned and not hip and found and not _has_rocm(image):
        not_applicable(f"torch {version} is a CPU build, and the image has no ROCm")
    if image.expect.torch == "cpu":
        not_applicable(f"images.yaml asks for a CPU build (checks.torch), and torch {version} is none for CUDA")
    if found and found["error"]:
        fail(f"torch {version} cannot be imported: {found['error']}", cause="see the check `import`", fix="fix that")
    if not hip:
        _wrong(f"torch {version} has no HIP")


def _has_rocm(image: Image) -> bool:
    return any("libamdhip64.so" in one["path"] or one["archs"] for one in image.probe["files"]["objects"])


def _wrong(what: str) -> None:
    fail(
        what,
        cause="a later `pip install` resolved torch anew and replaced the base's ROCm build",
        fix="`keep: [torch, torchvision, torchaudio, triton]` in images.yaml, so that every pip has the base's as a "
        "constraint",
    )
