"""Whether the image's user may open the GPU's device nodes."""

from __future__ import annotations

from typing import Final

from rocmimg.checks import Image, check, fail, not_applicable

_GROUPS: Final = ("video", "render")


@check("device-groups", tier="image", classes=["F15"])
def check_device_groups(image: Image) -> None:
    """A user that is not root is in the groups that own GPU devices."""
    found = image.probe["surroundings"]
    if found["uid"] == 0:
        return
    user = found["user"] or f"uid {found['uid']}"
    missing = [group for group in _GROUPS if group not in found["groups"]]
    if missing:
        fail(
            f"{user} is not in {' and '.join(missing)}",
            cause="/dev/kfd and /dev/dri belong to these groups; without them the runtime sees no GPU",
            fix=f"in the image: groupadd what is missing, usermod -aG {','.join(missing)} {user}; the host's numbers "
            "can differ, so run with --group-add and the numeric ids",
        )


@check("device-access", tier="gpu", classes=["F15"])
def check_device_access(image: Image) -> None:
    """The image's user may read and write /dev/kfd."""
    kfd = image.probe["surroundings"]["kfd"]
    if kfd is None:
        not_applicable("the container has no /dev/kfd")
    if not kfd:
        fail(
            "/dev/kfd cannot be opened by the image's user",
            cause="the host's group ids are not the image's",
            fix="run with --group-add and the numeric group of the host's /dev/kfd",
        )
