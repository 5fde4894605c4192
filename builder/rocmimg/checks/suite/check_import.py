from __future__ import annotations

from typing import Final

from rocmimg.checks import Image, check, fail, not_applicable, not_run

_NO_GPU_MENDS: Final = ("ImportError:", "ModuleNotFoundError:", "SyntaxError:", "IndentationError:", "NameError:")


@check("import", tier="import")
def check_import(image: Image) -> None:
    """Every component can be imported from the work directory."""
    image.need_plan()
    components = [component for component in image.expect.components if component.module]
    if not components:
        not_applicable("no component is a Python package")
    found = image.probe["imports"]
    waiting = []
    for component in components:
        error = found[component.module]["error"]
        if not error:
            continue
        if component.import_needs_gpu and image.gpu is None and not error.startswith(_NO_GPU_MENDS):
            waiting.append(f"import {component.module} needs one ({error.splitlines()[0][:200]})")
            continue
        fail(
            f"import {component.module}: {error}",
            cause=found[component.module].get("trace", "").strip().rpartition("\n")[2] or "the import does not end",
            fix="the trace is in the report's details; `docker run` the image and import it there",
        )
    image.note(seconds={name: round(one["seconds"], 2) for name, one in found.items()})
    if waiting:
        not_run(f"no AMD GPU: {'; '.join(waiting)}")


@check("capabilities", tier="import")
def check_capabilities(image: Image) -> None:
    """The names that the target requires of a component are there."""
    image.need_plan()
    wanted = [component for component in image.expect.components if component.requires and component.module]
    if not wanted:
        not_applicable("images.yaml requires no names")
    for component in wanted:
        found = image.probe["imports"][component.module]
        if found["error"]:
            not_run(f"{component.module} was not imported: {found['error'][:200]}")
        if found["missing"]:
            fail(
                f"{component.module} has no {', '.join(found['missing'])}",
                cause="another release than the one that is needed, or an import that hid an error and stopped",
                fix="pin a release that has it: `rocmimg contract window` finds one",
            )
