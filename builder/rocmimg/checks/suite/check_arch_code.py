"""GPU code for the right architectures, read from the files themselves."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from rocmimg.checks import Image, check, fail, not_applicable
from rocmimg.checks.coverage import by_owner, covers

_COMPILE: Final = "pass the archs to every step that compiles (GPU_ARCHS, PYTORCH_ROCM_ARCH, --offload-arch)"
_NO_HIPBLASLT: Final = ("gfx803", "gfx900", "gfx906", "gfx908", "gfx1010", "gfx1012", "gfx1030", "gfx1031", "gfx1032")
"""GPUs that hipBLASLt has no kernels for in any release; callers use rocBLAS there."""
_SHOWN: Final = 8


@check("arch-code", tier="image", classes=["F26"])
def check_arch_code(image: Image) -> None:
    """All GPU code of the image is for its architectures: every package has them, and components have no others."""
    files = image.probe["files"]
    owners = by_owner(files["objects"])
    unread = files.get("unread", [])
    image.note(
        archs={owner: sorted(found) for owner, found in owners.items()},
        source=image.expect.archs_from,
        files={one["path"]: one["archs"] for one in files["objects"] if one["archs"]},
    )
    if not owners and not unread:
        if image.expect.archs_from == "--arch":
            _none(image, image.expect.archs, {})
        elif not _damaged(image):
            not_applicable("there is no GPU code in the image")
    wanted = {component.name: component.archs for component in image.expect.components}
    absent = _absent(image, owners) if owners else []
    for owner, found in owners.items():
        if found and not unread_of(unread, owner):
            archs = wanted.get(owner, image.expect.archs)
            _judge_package(image, owner, found, [arch for arch in archs if arch not in absent])
    _judge_components(image, files["objects"])
    for one in unread:
        if not any(arch in one["archs"] for arch in image.expect.archs):
            image.unproven(f"{one['path']} ({one['kind']}) was not read: {one['why']}")


def unread_of(unread: list[dict[str, Any]], owner: str) -> bool:
    """Whether a package has GPU code that was not read: then what it lacks is not known."""
    return any(one.get("owner", "") == owner for one in unread)


def _damaged(image: Image) -> bool:
    """Whether GPU code that is there could not be read; the check `readable` names the file."""
    found = image.probe["files"]["unreadable"]
    for one in found:
        image.unproven(f"{one['path']} cannot be read: {one['error']}")
    return bool(found)


def _absent(image: Image, owners: Mapping[str, Mapping[str, int]]) -> list[str]:
    """Architectures that nothing in the image is for: said once, not for each package."""
    everything = {arch for found in owners.values() for arch in found}
    absent = [arch for arch in image.expect.archs if not covers(everything, arch)]
    if absent:
        _none(image, absent, {arch: sum(found.get(arch, 0) for found in owners.values()) for arch in everything})
    return absent


def _none(image: Image, archs: list[str] | tuple[str, ...], has: Mapping[str, int]) -> None:
    told = ", ".join(sorted(has)) or "none at all"
    said = f"there is no GPU code for {', '.join(archs)} anywhere in the image; it has {told}"
    if not image.expect.archs_asked:
        image.remark(f"{said} ({image.expect.archs_from} names {', '.join(archs)})")
        return
    image.finding(
        said,
        cause="everything was compiled or packaged for other GPUs",
        fix=f"build it for these, or take an image for them; {_COMPILE}",
    )


def _judge_package(image: Image, owner: str, found: Mapping[str, int], archs: list[str]) -> None:
    missing = [arch for arch in archs if not covers(found, arch)]
    if not missing:
        return
    paths = [one["path"] for one in image.probe["files"]["objects"] if one["owner"] == owner and one["archs"]]
    more = f" and {len(paths) - 1} more files" if len(paths) > 1 else ""
    said = f"{owner} has no code for {', '.join(missing)}; it has {', '.join(sorted(found))} ({paths[0]}{more})"
    if not image.expect.archs_asked:
        image.remark(said, path=paths[0])
        return
    image.finding(
        said,
        path=paths[0],
        cause="it was compiled without that --offload-arch; without any and without a GPU, hipcc takes gfx906. Or its "
        "wheel is for other GPUs",
        fix=_COMPILE,
    )


def _judge_components(image: Image, objects: list[dict[str, Any]]) -> None:
    """Each shared object of a component, file by file: one that lacks the arch fails when it is used."""
    kernels = {component.name: component for component in image.expect.components if component.kernels}
    for one in objects:
        component = kernels.get(one["owner"])
        if component is None or not one["archs"] or one["kind"] != "shared object":
            continue
        found, wanted = set(one["archs"]), set(component.archs)
        package = {arch for other in objects if other["owner"] == component.name for arch in other["archs"]}
        missing = sorted(arch for arch in wanted if not covers(found, arch) and covers(package, arch))
        if missing:
            image.finding(
                f"{one['path']} has no code for {', '.join(missing)}; it has {', '.join(sorted(found))}",
                path=one["path"],
                cause="it was compiled without that --offload-arch, which its package's other files have",
                fix=_COMPILE,
            )
        generic = ("-generic", "amdgcnspirv")
        if foreign := sorted(arch for arch in found - wanted if not arch.endswith(generic)):
            image.finding(
                f"{one['path']} has code for {', '.join(foreign)} too; the image is for {', '.join(sorted(wanted))}",
                path=one["path"],
                cause="the build took a list of archs that is not this cell's",
                fix="pass the cell's archs to it: the image is larger than it needs to be, and took longer",
            )


@check("prebuilt", tier="image", classes=["F10"])
def check_prebuilt(image: Image) -> None:
    """Kernels that are to be compiled into the image are there."""
    image.need_plan()
    wanted = [component for component in image.expect.components if component.kernels and component.prebuilt]
    if not wanted:
        not_applicable("no component compiles its kernels into the image")
    owners = by_owner(image.probe["files"]["objects"], kinds=("shared object",))
    for component in wanted:
        if not owners.get(component.name):
            fail(
                f"{component.name} has no shared object with GPU code",
                cause="its build skipped the kernels: some releases compile them in build_ext only, not in an editable "
                "install or `setup.py develop`",
                fix="run `setup.py build_ext --inplace` with PREBUILD_KERNELS=1 before the install"
                if component.recipe == "aiter"
                else f"see the log of its stage, {component.name}; a build without GPU code is said by "
                "an option of its recipe",
            )


@check("tensile", tier="image", classes=["F27", "F46"])
def check_tensile(image: Image) -> None:
    """Each copy of rocBLAS and hipBLASLt finds its kernel data, for the image's GPU architectures."""
    copies = image.probe["files"]["blas"]
    if not copies:
        not_applicable("there is no rocBLAS and no hipBLASLt in the image")
    image.note(libraries={one["path"]: [folder["path"] for folder in one["folders"]] for one in copies})
    for one in copies:
        folders = [folder for folder in one["folders"] if folder["files"]]
        beside = f"{one['path'].rpartition('/')[0]}/{one['name']}/library"
        if not folders:
            image.finding(
                f"{one['path']} has no kernel data: there is nothing in {beside}",
                path=one["path"],
                cause="the library was copied or packaged without its folder, which it looks for beside itself",
                fix=f"install the package with the data, or copy the folder {one['name']} along with the library",
            )
            continue
        archs = sorted({arch for folder in folders for arch in folder["archs"]})
        missing = [arch for arch in image.expect.archs if not covers(archs, arch)]
        if one["name"] == "hipblaslt":
            missing = [arch for arch in missing if arch not in _NO_HIPBLASLT]
        if not missing:
            continue
        said = f"{one['path']} has nothing for {', '.join(missing)} in {folders[0]['path']}; it has "
        said += ", ".join(archs) or "no arch at all"
        if not image.expect.archs_asked:
            image.remark(said, path=one["path"])
            continue
        image.finding(
            said,
            path=one["path"],
            cause="the packages were installed for other GPUs",
            fix="install the device packages of these archs, or another base",
        )
