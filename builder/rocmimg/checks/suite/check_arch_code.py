"""GPU code for the right architectures, read from the files themselves."""

from __future__ import annotations

from rocmimg.checks import Image, check, fail, not_applicable, not_run
from rocmimg.checks.coverage import by_owner, covers


@check("arch-code", tier="image", classes=["F26"])
def check_arch_code(image: Image) -> None:
    """The components' shared objects hold code for exactly the cell's GPU architectures."""
    files = image.probe["files"]
    kernels = {component.name: component for component in image.expect.components if component.kernels}
    ours = [
        one for one in files["objects"] if one["owner"] in kernels and one["archs"] and one["kind"] == "shared object"
    ]
    for one in ours:
        component = kernels[one["owner"]]
        found, wanted = set(one["archs"]), set(component.archs)
        if missing := sorted(arch for arch in wanted if not covers(found, arch)):
            fail(
                f"{one['path']} has no code for {', '.join(missing)}; it has {', '.join(sorted(found))}",
                cause="it was compiled without that --offload-arch; without any and without a GPU, hipcc takes gfx906",
                fix="pass the archs to every step that compiles (GPU_ARCHS, PYTORCH_ROCM_ARCH, --offload-arch)",
            )
        if foreign := sorted(arch for arch in found - wanted if not arch.endswith("-generic")):
            fail(
                f"{one['path']} has code for {', '.join(foreign)} too; the image is for {', '.join(sorted(wanted))}",
                cause="the build took a list of archs that is not this cell's",
                fix="pass the cell's archs to it: the image is larger than it needs to be, and took longer",
            )
    if unreadable := [
        one for one in files["unreadable"] if any(one["path"].startswith(c.checkout) for c in kernels.values())
    ]:
        not_run(f"{unreadable[0]['path']} cannot be read: {unreadable[0]['error']}")
    if not ours:
        not_applicable("no component has GPU code in shared objects")
    image.note(files=len(ours), archs=sorted({arch for one in ours for arch in one["archs"]}))


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
                fix="run `setup.py build_ext --inplace` with PREBUILD_KERNELS=1 before the install",
            )


@check("tensile", tier="image", classes=["F27"])
def check_tensile(image: Image) -> None:
    """rocBLAS and hipBLASLt have their kernel libraries for the cell's GPU architectures."""
    folders = image.probe["files"]["tensile"]
    if not folders:
        not_applicable("there is no rocBLAS or hipBLASLt library folder")
    for folder, archs in folders.items():
        if missing := [arch for arch in image.expect.archs if arch not in archs]:
            fail(
                f"{folder} has nothing for {', '.join(missing)}; it has {', '.join(archs) or 'no arch at all'}",
                cause="the packages were installed for other GPUs",
                fix="install the device packages of these archs, or another base",
            )
    image.note(folders=folders)
