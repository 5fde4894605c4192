from __future__ import annotations

from rocmimg.checks import Image, check, not_applicable


@check("origin", tier="import", classes=["F09"])
def check_origin(image: Image) -> None:
    """Every component is found as a package, from the work directory and from /."""
    image.need_plan()
    if not image.expect.modules:
        not_applicable("no component is a Python package")
    for lookup in image.probe["origins"]:
        for module, found in lookup["modules"].items():
            if found["origin"]:
                continue
            place = f"from {lookup['cwd']}" + ("" if lookup["own_env"] else " without PYTHONPATH")
            if found["locations"]:
                image.finding(
                    f"{place}, `import {module}` finds no package but the folder {found['locations'][0]}",
                    cause="a folder of that name wins as an empty namespace package over the editable install, whose "
                    "finder (setuptools >= 64) stands behind the path",
                    fix="install it with --config-settings editable_mode=compat",
                )
                continue
            image.finding(
                f"{place}, there is no module {module}",
                cause=found["error"] or "it is not installed for this interpreter",
                fix="install it in the final image, for the interpreter that `python` names",
            )
