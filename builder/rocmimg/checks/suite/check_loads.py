"""Every needed library is there, and every library of a Python package can be loaded with all its symbols bound."""

from __future__ import annotations

import json
import re
from typing import Any, Final

from rocmimg.checks import Image, check, not_applicable
from rocmimg.checks.backend import CommandStopped
from rocmimg.checks.suite.optional import CUDA, optional

_ABSENT: Final = re.compile(r"([^\s:]+): cannot open shared object file")
_PACKAGE: Final = re.compile(r"-packages/(\w+)/")
_IMPORT_LIMIT_S: Final = 300.0
_AGAIN: Final = """\
import ctypes, importlib, json, os, sys
importlib.import_module(sys.argv[1])
answer = {}
for path in json.loads(sys.argv[2]):
    try:
        ctypes.CDLL(path, mode=os.RTLD_NOW)
        answer[path] = ""
    except OSError as error:
        answer[path] = str(error)
sys.stdout.write("\\n" + json.dumps(answer) + "\\n")
sys.stdout.flush()
os._exit(0)
"""
"""In its package's process a library is loaded as users load it; the end is short, so that none has a say in it."""
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


def _loads(image: Image, *, absent: bool) -> list[dict[str, Any]]:
    """What could not be loaded, for want of another library or not, and cannot after its package's import either."""
    found: list[dict[str, Any]] = image.probe["loads"]
    if not found:
        not_applicable("there are no extensions")
    image.note(libraries=len(found))
    failed = [one for one in found if one["error"] and bool(_ABSENT.search(one["error"])) == absent]
    packages: dict[str, list[str]] = {}
    for one in failed:
        if package := _PACKAGE.search(one["path"]):
            packages.setdefault(package[1], []).append(one["path"])
    # A package may load what its libraries need before them: tilelang imports tvm_ffi, which has libtvm_ffi.so.
    after = {path: error for name, paths in packages.items() for path, error in _again(image, name, paths).items()}
    return [one for one in failed if after.get(one["path"], one["error"])]


def _again(image: Image, package: str, paths: list[str]) -> dict[str, str]:
    """Path -> error of each library in a process that has imported its package; nothing where that cannot be."""
    try:
        host = image.host(timeout=_IMPORT_LIMIT_S)
        done = host.run("%s -c %s %s %s", image.probe["interpreter"]["executable"], _AGAIN, package, json.dumps(paths))
        found: dict[str, str] = json.loads(done.stdout.strip().rpartition("\n")[2])
    except (CommandStopped, ValueError):
        return {}
    return found


@check("missing-libraries", tier="import", classes=["F23", "F44"])
def check_missing_libraries(image: Image) -> None:
    """Loaded after torch, no library of a Python package lacks another one."""
    for one in _loads(image, absent=True):
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


_REBUILD: Final = "build it again after the last step that changes torch, or install the release for this torch"
_CAUSES: Final = {
    "undefined symbol": ("it was built against another release of torch or of a library than the image has", _REBUILD),
    "executable stack": (
        "it asks for an executable stack, which glibc refuses to give to a running process from 2.41 on",
        "install a release that does not ask for it, or clear the mark: patchelf --clear-execstack FILE",
    ),
    "version": ("it was built against another release of a library than the image has", _REBUILD),
}
_ELSE: Final = ("it does not survive being loaded", _REBUILD)


@check("unbound-symbols", tier="import", classes=["F06", "F44"])
def check_unbound_symbols(image: Image) -> None:
    """Loaded after torch, every library of a Python package finds every symbol, and can be loaded at all."""
    for one in _loads(image, absent=False):
        error = one["error"]
        if optional(one["path"]):
            image.remark(f"{one['path']}, which is opened on request only: {error}", path=one["path"])
            continue
        image.finding(
            f"{one['path']}: {error}",
            path=one["path"],
            cause=next((cause for words, (cause, _) in _CAUSES.items() if words in error), _ELSE[0]),
            fix=next((fix for words, (_, fix) in _CAUSES.items() if words in error), _ELSE[1]),
        )
