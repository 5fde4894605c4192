from __future__ import annotations

from rocmimg.checks import Image, check


@check("metadata", tier="image", classes=["F04"])
def check_metadata(image: Image) -> None:
    """The metadata of every distribution still says all that it requires."""
    for one in image.probe["distributions"]:
        lost = one["requires_written"] - len(one["requires"])
        if one["broken_header"] and lost > 0:
            image.finding(
                f"{one['name']} {one['version']}: {lost} of {one['requires_written']} requirements are lost",
                path=one.get("metadata") or "",
                cause="METADATA was edited and a line of its header is none: every parser stops there",
                fix="change the one Requires-Dist line and keep its key",
            )
