from __future__ import annotations

from typing import Any, Final

from rocmimg.checks import Image, check, not_applicable, not_run
from rocmimg.checks.suite.gpu_errors import NEVER, needs_gpu
from rocmimg.plan.expected import ExpectedComponent

_FAMILY: Final = ("torch", "torchvision", "torchaudio", "amdsmi")
_SEE: Final = "the trace is in the report's details; `docker run` the image and import it there"


@check("import", tier="import")
def check_import(image: Image) -> None:
    """Every component can be imported from the work directory, and so can torch's family where the image has it."""
    found = image.probe["imports"]
    components = {component.module: component for component in image.expect.components if component.module}
    modules = list(dict.fromkeys((*components, *(name for name in _FAMILY if name in found))))
    if not modules:
        not_applicable("no component is a Python package, and there is no torch")
    image.note(seconds={name: round(one["seconds"], 2) for name, one in found.items()})
    for module in modules:
        one = found[module]
        if not one["error"]:
            continue
        component = components.get(module)
        if image.gpu is None and _may_need_gpu(one, component):
            said = one["error"].splitlines()[0][:200]
            image.unproven(f"no AMD GPU: import {module} needs one ({said})")
            continue
        image.finding(
            f"import {module}: {one['error']}",
            cause=one.get("trace", "").strip().rpartition("\n")[2] or "the import does not end",
            fix=_SEE if component else f"install the release of {module} for this torch and this ROCm; {_SEE}",
        )


def _may_need_gpu(one: dict[str, Any], component: ExpectedComponent | None) -> bool:
    """Whether a GPU may make the import work: a recipe says so for its component, the error's words for others."""
    if component:
        return component.import_needs_gpu and not one["error"].startswith(NEVER)
    return needs_gpu(one["error"], one.get("trace", ""))


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
            image.finding(
                f"{component.module} has no {', '.join(found['missing'])}",
                cause="another release than the one that is needed, or an import that hid an error and stopped",
                fix="pin a release that has it: `rocmimg contract window` finds one",
            )
