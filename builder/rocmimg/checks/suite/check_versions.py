"""Versions and commits that say what was built."""

from __future__ import annotations

import re
from typing import Any, Final

from packaging.version import InvalidVersion, Version

from rocmimg.checks import Image, check, not_applicable, not_run

_COMMIT: Final = re.compile(r"[0-9a-f]{40}")
_LOCAL_COMMIT: Final = re.compile(r"\+(?:.*\.)?g([0-9a-f]{7,40})(?![0-9a-z])", re.IGNORECASE)
_TAG: Final = re.compile(r"[vV]?([0-9]+(?:\.[0-9]+)*.*)")


@check("version-stamp", tier="image", classes=["F11"])
def check_version_stamp(image: Image) -> None:
    """A component's version is that of its checkout, not another component's."""
    image.need_plan()
    by_checkout = {one["checkout"]: one for one in image.probe["distributions"] if one["checkout"]}
    seen = 0
    for component in image.expect.components:
        one = by_checkout.get(component.checkout)
        head = image.probe["git"].get(component.name)
        if not one or not head:
            continue
        seen += 1
        stamped = _LOCAL_COMMIT.search(one["version"])
        if stamped and head["head"] and not head["head"].startswith(stamped[1].lower()):
            _wrong(image, one, f"its checkout is at {head['head'][:12]}")
        elif _differ(one["version"], head["tag"]):
            _wrong(image, one, f"its checkout is {head['tag']}")
    if not seen:
        not_applicable("no component is installed from a git checkout in the image")


def _differ(version: str, tag: str) -> bool:
    """Whether a version is certainly not that of its tag: both must be versions by PEP 440, whatever their spelling."""
    found = _TAG.fullmatch(tag)
    try:
        stamped, tagged = Version(version), Version(found[1]) if found else None
    except InvalidVersion:
        return False
    if tagged is None:
        return False
    # A build may add its own local part (+rocm7.2); a tag that has one names the build.
    return stamped != tagged if tagged.local else Version(stamped.public) != tagged


def _wrong(image: Image, one: dict[str, Any], what: str) -> None:
    image.finding(
        f"{one['name']} calls itself {one['version']}, {what}",
        path=one.get("metadata") or one["checkout"],
        cause="SETUPTOOLS_SCM_PRETEND_VERSION of one project was still set while another was installed",
        fix="set it for the one command that needs it, as SETUPTOOLS_SCM_PRETEND_VERSION_FOR_<NAME>",
    )


@check("pins", tier="image", classes=["F33"])
def check_pins(image: Image) -> None:
    """Each checkout is at the commit that images.yaml pins."""
    image.need_plan()
    pinned = {c.name: c.commit or c.ref for c in image.expect.components if c.ref}
    heads = {name: found["head"] for name, found in image.probe["git"].items() if name in pinned}
    if not heads:
        not_applicable("no component has a git checkout in the image")
    for name, head in heads.items():
        if _COMMIT.fullmatch(pinned[name]) and head != pinned[name]:
            image.finding(
                f"{name} is at {head[:12]}, the pin is {pinned[name][:12]}",
                cause="the image is older than the pin, or a step checked something else out",
                fix="rebuild it",
            )
    image.note(heads=heads)
    if moving := sorted(name for name in heads if not _COMMIT.fullmatch(pinned[name])):
        not_run(f"{', '.join(f'{name} is pinned to {pinned[name]!r}' for name in moving)}, which can move: lock it")
