"""Every needed library is there, and every library of a Python package can be loaded with all its symbols bound."""

from __future__ import annotations

import re
from typing import Any, Final

from rocmimg.checks import Image, check, not_applicable
from rocmimg.checks.suite.optional import CUDA, optional

_ABSENT: Final = re.compile(r"([^\s:]+): cannot open shared object file")
_TORCH: Final = re.compile(r"lib(torch|c10)\w*\.so")


@check("needed-libraries", tier="image", classes=["F23"])
def check_needed_libraries(image: Image) -> None:
    """Every program and library that no package of the distribution owns finds the libraries that it needs."""
    ours = [one for one in image.probe["files"]["objects"] if not one.get("package") and "needed" in one]
    if not ours:
        not_applicable("every program and library belongs to a package of the distribution")
    # Libraries that were loaded for a test are judged by that: missing-libraries.
    loads = image.probe.get("loads")
    loaded = {one["path"] for one in loads} if isinstance(loads, list) else set()
    ours = [one for one in ours if one["path"] not in loaded]
    site = tuple(image.probe.get("interpreter", {}).get("site", ()))
    image.note(files=len(ours))
    # What the entry point itself lacks is told by `starts`.
    starting = {(one["needed_by"], one["library"]) for one in image.probe.get("entry", {}).get("missing", [])}
    for one in ours:
        # What a Python package's library does not find by itself, another one may have loaded before: see
        # missing-libraries. CUDA's libraries are the subject of cuda-libraries.
        elsewhere = one.get("elsewhere", {})
        lost = [name for name in one.get("unresolved", []) if not CUDA.fullmatch(name)]
        if one["kind"] != "program":
            lost = [name for name in lost if name not in elsewhere]
        lost = [name for name in lost if (one["path"], name) not in starting]
        if not lost:
            continue
        told = ", ".join(name + (f" (it is in {elsewhere[name][0]})" if name in elsewhere else "") for name in lost)
        if one["path"].startswith(site or "//") and optional(one["path"]):
            image.remark(f"{one['path']}, which is opened on request only, needs {told}: not there", path=one["path"])
            continue
        where = "" if one["kind"] != "program" else " where the loader looks"
        image.finding(
            f"{one['path']} needs {told}: not in the image{where}",
            path=one["path"],
            cause="the package that has it was left behind in a build stage or never installed, or the run path of the "
            "build (RPATH) was lost",
            fix="install the package that has it in the final image, or copy it there and run ldconfig; "
            "link with -Wl,-rpath,'$ORIGIN/...' where it lies beside",
        )


def _loads(image: Image) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = image.probe["loads"]
    if not found:
        not_applicable("there are no extensions")
    image.note(libraries=len(found))
    return [one for one in found if one["error"]]


@check("missing-libraries", tier="import", classes=["F23", "F44"])
def check_missing_libraries(image: Image) -> None:
    """Loaded after torch, no library of a Python package lacks another one."""
    for one in _loads(image):
        absent = _ABSENT.search(one["error"])
        if not absent or CUDA.fullmatch(absent[1]):
            continue
        # Without torch, what needs torch is an adapter to it; where torch is required, `requirements` says so.
        adapter = _TORCH.match(absent[1]) and not _has_torch(image)
        if optional(one["path"]) or adapter:
            image.remark(f"{one['path']}, which is opened on request only: {one['error']}", path=one["path"])
            continue
        image.finding(
            f"{one['path']}: {one['error']}",
            path=one["path"],
            cause="the package that has it is not in the final image, or its folder is not on the loader's path",
            fix="install it there, or add its folder to /etc/ld.so.conf.d and run ldconfig",
        )


def _has_torch(image: Image) -> bool:
    return any(_TORCH.match(one["path"].rpartition("/")[2]) for one in image.probe["files"]["objects"])


@check("unbound-symbols", tier="import", classes=["F06"])
def check_unbound_symbols(image: Image) -> None:
    """Loaded after torch, every library of a Python package finds every symbol."""
    for one in _loads(image):
        error = one["error"]
        if _ABSENT.search(error):
            continue
        if optional(one["path"]):
            image.remark(f"{one['path']}, which is opened on request only: {error}", path=one["path"])
            continue
        image.finding(
            f"{one['path']}: {error}",
            path=one["path"],
            cause="it was built against another release of torch or of a library than the image has"
            if "undefined symbol" in error or "version" in error
            else "it does not survive being loaded",
            fix="build it again after the last step that changes torch, or install the release for this torch",
        )
