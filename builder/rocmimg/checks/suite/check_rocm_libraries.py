"""One copy of each ROCm library."""

from __future__ import annotations

import re
from pathlib import PurePosixPath
from typing import Any, Final

from rocmimg.checks import Image, check, fail, not_applicable

_ONCE: Final = re.compile(
    r"lib(amd_smi|rocm_smi64|amdhip64|hsa-runtime64|rccl|rocblas|hipblaslt|hipblas|MIOpen|amd_comgr|drm_amdgpu)\.so"
)


def _stem(path: str) -> str:
    """The name without versions, and without the fingerprint that wheel repair tools put in it."""
    name = PurePosixPath(path).name
    found = _ONCE.match(re.sub(r"-[0-9a-f]{8}(?=\.so)", "", name))
    return found[0] if found else ""


@check("duplicate-libraries", tier="import", classes=["F21"])
def check_duplicate_libraries(image: Image) -> None:
    """A process with torch and amdsmi has one copy of each ROCm library."""
    if not {"torch", "amdsmi"} & {name for name, one in image.probe["imports"].items() if not one["error"]}:
        not_applicable("there is neither torch nor amdsmi in the image")
    copies: dict[str, dict[str, str]] = {}
    for path, inode in image.probe["maps"]:
        if stem := _stem(path):
            copies.setdefault(stem, {})[inode] = path
    for stem, found in copies.items():
        if len(found) > 1:
            fail(
                f"{stem} is loaded {len(found)} times: {', '.join(sorted(found.values()))}",
                cause="torch brings a copy of its own beside ROCm's; each initializes the driver for itself, and "
                "device_count() can become 0",
                fix="replace one copy by a link to the other",
            )
    image.note(libraries=sorted(copies))


@check("vendored-hip", tier="image", classes=["F22"])
def check_vendored_hip(image: Image) -> None:
    """torch's own copy of the HIP runtime is the build that the system has."""
    copies: list[dict[str, Any]] = [
        one
        for one in image.probe["files"]["objects"]
        if one["kind"] == "shared object" and _stem(one["path"]) in ("libamdhip64.so", "libhsa-runtime64.so")
    ]
    vendored = [one for one in copies if "/torch/lib/" in one["path"]]
    if not vendored:
        not_applicable("torch has no HIP runtime of its own in this image")
    for one in vendored:
        for other in copies:
            same_name = other not in vendored and _stem(other["path"]) == _stem(one["path"])
            if same_name and other["build_id"] != one["build_id"]:
                fail(
                    " and ".join(f"{copy['path']} (build {copy['build_id'][:12]})" for copy in (one, other)),
                    cause="torch loads its own copy first, everything built here was linked with the other",
                    fix="install the torch wheel of the base's ROCm release",
                )
