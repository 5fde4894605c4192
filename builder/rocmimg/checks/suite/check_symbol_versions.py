from __future__ import annotations

import re
from typing import Final

from rocmimg.checks import Image, check, fail, not_run

_VERSION: Final = re.compile(r"(GLIBC|GLIBCXX|CXXABI)_([0-9.]+)")
_HOME: Final = {"GLIBC": "libc.so", "GLIBCXX": "libstdc++.so", "CXXABI": "libstdc++.so"}


def _number(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split(".") if part)


@check("symbol-versions", tier="image", classes=["F08"])
def check_symbol_versions(image: Image) -> None:
    """No shared object needs a newer C or C++ library than the image has."""
    objects = image.probe["files"]["objects"]
    has: dict[str, tuple[int, ...]] = {}
    for one in objects:
        for match in map(_VERSION.fullmatch, one.get("versions_defined", [])):
            if match and one["owner"] == "system":
                has[match[1]] = max(has.get(match[1], ()), _number(match[2]))
    if "GLIBC" not in has:
        not_run("the image's libc was not found")
    for one in objects:
        for match in map(_VERSION.fullmatch, one.get("versions_needed", [])):
            if match and _number(match[2]) > has.get(match[1], _number("9999")):
                fail(
                    f"{one['path']} needs {match[0]}; the image's {_HOME[match[1]]} ends at "
                    f"{match[1]}_{'.'.join(map(str, has[match[1]]))}",
                    cause="it was built on a newer distribution than the base",
                    fix=f"take a wheel of {one['owner']} for this base's manylinux tag, or build it here",
                )
    image.note(**{name: ".".join(map(str, number)) for name, number in has.items()})
