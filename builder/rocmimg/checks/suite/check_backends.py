"""Packages that bring one library per release of ROCm must bring the image's."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from rocmimg.checks import Image, check, not_applicable, not_run

if TYPE_CHECKING:
    from testinfra.host import Host

_NAME: Final = re.compile(
    r"^(?P<stem>.+?)[_.-]?(?:rocm|hip)[_-]?(?P<major>\d)[._]?(?P<minor>\d{1,2})(?:\D.*)?\.so", re.IGNORECASE
)
_CUDA_NAME: Final = re.compile(r"[_.-]?(?:cuda|cu)[_-]?\d{2,3}")
_ROCM: Final = re.compile(r"\+rocm(\d+)\.(\d+)")
_RELEASE: Final = re.compile(r"(\d+)\.(\d+)")


@check("backends", tier="image", classes=["F45"])
def check_backends(image: Image, host: Host) -> None:
    """A package with a library per release of ROCm has the one for the image's ROCm."""
    groups: dict[tuple[str, str], dict[tuple[int, int], str]] = {}
    cuda: set[str] = set()
    for one in image.probe["files"]["objects"]:
        folder, _, name = one["path"].rpartition("/")
        if _CUDA_NAME.search(name):
            cuda.add(folder)
        if found := _NAME.match(name):
            release = int(found["major"]), int(found["minor"])
            groups.setdefault((folder, found["stem"]), {})[release] = one["path"]
    # A single library that is called after a release may be used with any.
    groups = {key: found for key, found in groups.items() if len(found) > 1 or key[0] in cuda}
    if not groups:
        not_applicable("no package brings a library per release of ROCm")
    said = next(rocm_release(image, host), None)
    if said is None:
        not_run("which ROCm the image has cannot be told")
    release, source = said
    image.note(rocm=".".join(map(str, release)), source=source)
    for (folder, stem), libraries in groups.items():
        if release not in libraries:
            has = ", ".join(f"{major}.{minor}" for major, minor in sorted(libraries))
            mine = f"{release[0]}.{release[1]} ({source})"
            image.finding(
                f"{folder}/{stem}* has libraries for ROCm {has}; the image has ROCm {mine}",
                path=folder,
                cause="the wheel was built before this ROCm was released, or after it was dropped",
                fix="install a release of the package with a library for this ROCm, or build it from source",
            )


def rocm_release(image: Image, host: Host) -> Iterator[tuple[tuple[int, int], str]]:
    """What says which ROCm the image has, the most telling first: torch, ROCm's own wheels, files, the HIP runtime."""
    torch = image.probe.get("imports", {}).get("torch", {}) if isinstance(image.probe.get("imports"), dict) else {}
    if found := _RELEASE.match(str(torch.get("hip") or "")):
        yield (int(found[1]), int(found[2])), "torch.version.hip"
    distributions = image.probe.get("distributions", [])
    by_name = {one["name"].lower().replace("_", "-"): one["version"] for one in distributions if isinstance(one, dict)}
    if found := _ROCM.search(by_name.get("torch", "")):
        yield (int(found[1]), int(found[2])), f"torch {by_name['torch']}"
    for name in ("rocm", "rocm-sdk-core"):
        if found := _RELEASE.match(by_name.get(name, "")):
            yield (int(found[1]), int(found[2])), f"{name} {by_name[name]}"
    if image.probe.kind != "no-python":
        for path in ("/opt/rocm/.info/version", "/opt/rocm/.info/version-dev"):
            file = host.file(path)
            if file.exists and (found := _RELEASE.match(file.content_string)):
                yield (int(found[1]), int(found[2])), path
    for one in image.probe["files"]["objects"]:
        if found := re.search(r"/libamdhip64\.so\.(\d+)\.(\d+)\.\d{5}", one["path"]):
            yield (int(found[1]), int(found[2])), one["path"]
