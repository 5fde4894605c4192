from __future__ import annotations

from typing import Final

from rocmimg.checks import Image, check, not_applicable

MIB: Final = 1 << 20
_ALLOWED: Final = {"git history": 256 * MIB}
"""What may be left of a kind. A checkout keeps its history, by which its version is told; a blobless one is small."""
_ALLOWED_ELSE: Final = MIB


@check("size", tier="image", classes=["F40"])
def check_size(image: Image) -> None:
    """The image and each of its layers keep the budget."""
    limit, layer_limit = image.expect.max_image_mib, image.expect.max_layer_mib
    size = image.detail["size"]
    layers = sorted(image.history, key=lambda entry: -entry["size"])
    image.note(bytes=size, largest_layers=[[entry["size"], entry["created_by"][:120]] for entry in layers[:5]])
    if not limit and not layer_limit:
        not_applicable("images.yaml sets no budget (checks.max_image_mib, checks.max_layer_mib)")
    if limit and size > limit * MIB:
        image.finding(
            f"the image has {size // MIB} MiB, {limit} are allowed",
            cause=f"its largest layer has {layers[0]['size'] // MIB} MiB: {layers[0]['created_by'][:120]}",
            fix="leave toolchains and sources in the component's stage; or raise checks.max_image_mib",
        )
    if layer_limit and layers and layers[0]["size"] > layer_limit * MIB:
        image.finding(
            f"a layer has {layers[0]['size'] // MIB} MiB, {layer_limit} are allowed: {layers[0]['created_by'][:120]}",
            cause="a layer is pulled and unpacked as one piece",
            fix="install less in that step, or split it; or raise checks.max_layer_mib",
        )


@check("leftovers", tier="image", classes=["F40"])
def check_leftovers(image: Image) -> None:
    """No package lists, caches or histories are left behind."""
    left = [one for one in image.probe["files"]["leftovers"] if one["bytes"] > _ALLOWED.get(one["kind"], _ALLOWED_ELSE)]
    for one in left:
        image.finding(
            f"{one['kind']}: {one['bytes'] // MIB} MiB in {one['paths'][0]}",
            path=one["paths"][0],
            cause="what a step downloads stays in its layer; removing it in a later step does not help",
            fix="remove it in the same RUN (rm -rf /var/lib/apt/lists/*, pip --no-cache-dir), or use a cache mount",
        )
