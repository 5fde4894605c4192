from __future__ import annotations

import re
from typing import Final

from rocmimg.checks import Image, check, not_applicable

_NUMBER: Final = re.compile(r"([A-Z_a-z]+)_([0-9][0-9.]*)")


@check("symbol-versions", tier="image", classes=["F08"])
def check_symbol_versions(image: Image) -> None:
    """No program and no library needs a version of another library that the one it finds does not have."""
    objects = [one for one in image.probe["files"]["objects"] if not one.get("package") and "versions_missing" in one]
    if not objects:
        not_applicable("every program and library belongs to a package of the distribution")
    image.note(files=len(objects))
    ends = {one["path"]: one.get("versions_defined", []) for one in image.probe["files"]["objects"]}
    for one in objects:
        lost: dict[tuple[str, str], list[str]] = {}
        for wrong in one["versions_missing"]:
            lost.setdefault((wrong["library"], wrong["path"]), []).append(wrong["version"])
        for (library, path), versions in lost.items():
            name = versions[0].rpartition("_")[0]
            last = max((v for v in ends.get(path, ()) if v.startswith(f"{name}_")), key=_key, default="")
            image.finding(
                f"{one['path']} needs {', '.join(sorted(versions, key=_key))} of {library}; "
                + (f"{path} ends at {last}" if last else f"{path} has no such version"),
                path=one["path"],
                cause="it was built on a newer distribution than the base, or against another release of that library",
                fix=f"take a wheel of {one['owner']} for this base's manylinux tag, or build it here",
            )


def _key(version: str) -> tuple[str, tuple[int, ...]]:
    found = _NUMBER.fullmatch(version)
    return (found[1], tuple(int(part) for part in found[2].split(".") if part)) if found else (version, ())
