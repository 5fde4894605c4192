from __future__ import annotations

from rocmimg.checks import Image, check, fail, not_applicable


@check("pybind11", tier="image", classes=["F07"])
def check_pybind11(image: Image) -> None:
    """Extensions that share torch's types were built with one pybind11 ABI."""
    versions: dict[str, list[str]] = {}
    for one in image.probe["files"]["objects"]:
        for version in one.get("pybind11", []):
            versions.setdefault(version, []).append(one["path"])
    if not versions:
        not_applicable("no component's extension uses pybind11")
    image.note(versions={version: len(paths) for version, paths in versions.items()})
    if len(versions) > 1:
        fail(
            "; ".join(f"{version}: {paths[0]}" for version, paths in sorted(versions.items())),
            cause="they were built with different releases of pybind11: types of one are unknown to the other",
            fix="pin one pybind11 for all build steps (`tools`)",
        )
