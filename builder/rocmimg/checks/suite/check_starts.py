"""`docker run IMAGE` starts what ENTRYPOINT and CMD name."""

from __future__ import annotations

from typing import Any

from rocmimg.checks import Image, check, fail, not_applicable, not_run
from rocmimg.checks.suite.gpu_errors import needs_gpu


def _entry(image: Image) -> dict[str, Any]:
    found: dict[str, Any] = image.probe["entry"]
    if not found["argv"]:
        not_applicable("the image has neither ENTRYPOINT nor CMD")
    image.note(argv=found["argv"], chain=found["chain"])
    return found


@check("starts", tier="image", classes=["F42"])
def check_starts(image: Image) -> None:
    """What ENTRYPOINT and CMD name can be started by the image's user: file, interpreter, and every needed library."""
    found = _entry(image)
    user = image.expect.user
    if found["problem"]:
        image.finding(
            f"`docker run` cannot start {' '.join(found['argv'])}: {found['problem']}",
            path=found["path"],
            cause=f"looked up as the user {user}, with the image's PATH, from {image.expect.workdir}",
            fix="install it in the final stage, in a folder that the user may enter and that is on PATH (an ENV "
            "instruction, not a shell's start-up file)",
        )
    for one in found["missing"]:
        places = _elsewhere(image, one["library"])
        image.finding(
            f"{found['path']} cannot start: {one['needed_by']} needs {one['library']}, which "
            + (f"lies in {places}, where the loader does not look" if places else "is not in the image"),
            path=one["needed_by"],
            cause="the run path of its build (RPATH) was lost when it was installed or copied, or the library was left "
            "behind in a build stage",
            fix="link with -Wl,-rpath,'$ORIGIN/...', add the folder to /etc/ld.so.conf.d and run ldconfig, or install "
            "the package that has it",
        )


def _elsewhere(image: Image, library: str) -> str:
    paths = [
        one["path"]
        for one in image.probe["files"]["objects"]
        if one.get("soname") == library or one["path"].rpartition("/")[2] == library
    ]
    return ", ".join(dict.fromkeys(path.rpartition("/")[0] for path in paths[:3]))


@check("entry-module", tier="import", classes=["F42"])
def check_entry_module(image: Image) -> None:
    """The module behind the entry point can be imported, in a process of its own."""
    found = _entry(image)
    module = ":".join(part for part in (found["module"], found["attribute"]) if part)
    if not module:
        not_applicable("the entry point is neither a console script nor a Python module")
    if found["problem"]:
        not_run(f"it cannot be started: {found['problem']}")
    answer = found.get("import")
    if answer is None:
        not_run("the entry point's module was not imported")
    image.note(module=module, seconds=round(answer["seconds"], 2))
    if not answer["error"]:
        return
    if image.gpu is None and needs_gpu(answer["error"], answer.get("trace", "")):
        not_run(f"no AMD GPU: import {found['module']} needs one ({answer['error'].splitlines()[0][:200]})")
    image.note(evidence={f"import {found['module']}": answer.get("trace", "")})
    fail(
        f"{' '.join(found['argv'])} ends at its import of {module}: {answer['error']}",
        path=found["path"],
        cause=answer.get("trace", "").strip().rpartition("\n")[2] or "the package is another release than the script's",
        fix="install what is missing in the final image; the trace is in the report's details",
    )
