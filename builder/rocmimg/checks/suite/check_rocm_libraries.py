"""One copy of each ROCm library."""

from __future__ import annotations

import re
from pathlib import PurePosixPath
from typing import Any, Final

from rocmimg.checks import Image, check, not_applicable

_ONCE: Final = re.compile(
    r"lib(amd_smi|rocm_smi64|amdhip64|hsa-runtime64|rccl|rocblas|hipblaslt|hipblas|MIOpen|amd_comgr|drm_amdgpu)\.so"
)


def _stem(path: str) -> str:
    """The name without versions, and without the fingerprint that wheel repair tools put in it."""
    name = PurePosixPath(path).name
    found = _ONCE.match(re.sub(r"-[0-9a-f]{8}(?=\.so)", "", name))
    return found[0] if found else ""


@check("duplicate-libraries", tier="import", classes=["F21", "F47"])
def check_duplicate_libraries(image: Image) -> None:
    """Each ROCm library is loaded once: with torch and amdsmi, with torch and a component, by the entry point."""
    imported = {name for name, one in image.probe["imports"].items() if not one["error"]}
    entry = (image.probe.get("entry", {}).get("import") or {}).get("maps")
    if not imported and not entry:
        not_applicable("there is neither torch nor amdsmi in the image, and neither component nor entry was imported")
    seen: set[tuple[str, ...]] = set()
    processes = {"a process with torch and amdsmi": image.probe["maps"]}
    processes |= {f"a process with torch and then {name}": maps for name, maps in image.probe.get("meets", {}).items()}
    processes |= {"the entry point's process": entry} if entry else {}
    for process, maps in processes.items():
        copies: dict[str, dict[str, str]] = {}
        for path, inode in maps:
            if stem := _stem(path):
                copies.setdefault(stem, {})[inode] = path
        image.note(**{process: sorted(copies)})
        for stem, found in copies.items():
            paths = tuple(sorted(found.values()))
            if len(found) > 1 and paths not in seen:
                seen.add(paths)
                image.finding(
                    f"{process} loads {stem} {len(found)} times: {', '.join(paths)}",
                    path=paths[0],
                    cause="a package brings a copy of its own, or opens another one by its path; each initializes the "
                    "driver for itself: streams and memory of one are unknown to the other; device_count() can be 0",
                    fix="replace one copy by a link to the other, or build the package against the one that torch has",
                )


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
        # Libraries of two SONAMEs never stand in for each other: what needs one does not get the other.
        for other in copies:
            same = other not in vendored and other.get("soname") == one.get("soname")
            if same and _stem(other["path"]) == _stem(one["path"]) and other["build_id"] != one["build_id"]:
                image.finding(
                    " and ".join(f"{copy['path']} (build {copy['build_id'][:12]})" for copy in (one, other))
                    + f" are two builds of {one.get('soname') or _stem(one['path'])}",
                    path=one["path"],
                    cause="torch loads its own copy first, everything built here was linked with the other",
                    fix="install the torch wheel of the base's ROCm release",
                )
