from __future__ import annotations

from typing import Final

from rocmimg.checks import Image, check, not_applicable

_DEVICES: Final = {"gfx942": ("74A1", "MI300X"), "gfx950": ("75A3", "MI355X")}
"""arch -> PCI device id and product; amdgpu.ids has lines `74A1, 00, AMD Instinct MI300X`."""


@check("amdgpu-ids", tier="image", classes=["F20"])
def check_amdgpu_ids(image: Image) -> None:
    """libdrm can name the cell's GPUs."""
    wanted = {arch: _DEVICES[arch] for arch in image.expect.archs if arch in _DEVICES}
    files = image.probe["files"]
    libraries = [one for one in files["objects"] if "amdgpu_ids" in one]
    if not libraries:
        not_applicable("there is no libdrm_amdgpu in the image")
    if not wanted:
        not_applicable(f"no device id is known here for {', '.join(image.expect.archs)}")
    for library in libraries:
        if library["amdgpu_names"]:
            continue  # the table is in the library itself
        tables = [path for path in library["amdgpu_ids"] if path in files["amdgpu_ids"]]
        if not tables:
            image.finding(
                f"{library['path']} reads {' or '.join(library['amdgpu_ids']) or 'amdgpu.ids'}, which is not there",
                cause="the package with the table (libdrm-common, libdrm-amdgpu-common) is not in the final image",
                fix="install it: without the table every GPU is an `AMD Radeon Graphics`, and tuning files that are "
                "keyed by name are missed",
            )
            continue
        text = files["amdgpu_ids"][tables[0]].upper()
        for arch, (device, product) in wanted.items():
            if f"\n{device}," not in text:
                image.finding(
                    f"{tables[0]} has no {device} ({product}, {arch})",
                    cause="the table is older than the GPU",
                    fix="take the table of a newer libdrm, or ROCm's own (libdrm-amdgpu-common)",
                )
