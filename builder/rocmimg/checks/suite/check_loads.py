"""Every library of the components, and every Python extension, can be loaded with all its symbols bound."""

from __future__ import annotations

from typing import Any

from rocmimg.checks import Image, check, fail, not_applicable


def _loads(image: Image) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = image.probe["loads"]
    if not found:
        not_applicable("there are no extensions")
    image.note(libraries=len(found))
    return found


@check("missing-libraries", tier="import", classes=["F23"])
def check_missing_libraries(image: Image) -> None:
    """No library that another one needs is missing."""
    for one in _loads(image):
        if "cannot open shared object file" in one["error"]:
            fail(
                f"{one['path']}: {one['error']}",
                cause="the package that has it is not in the final image, or its folder is not on the loader's path",
                fix="install it there, or add its folder to /etc/ld.so.conf.d and run ldconfig",
            )


@check("unbound-symbols", tier="import", classes=["F06"])
def check_unbound_symbols(image: Image) -> None:
    """Every symbol is found, once torch is imported where the image has it."""
    for one in _loads(image):
        error = one["error"]
        if error and "cannot open shared object file" not in error:
            fail(
                f"{one['path']}: {error}",
                cause="it was built against another release of torch or of a library than the image has"
                if "undefined symbol" in error or "version" in error
                else "it does not survive being loaded",
                fix="build it again after the last step that changes torch",
            )
