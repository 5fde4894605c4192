from __future__ import annotations

from rocmimg.checks import Image, check

_SECTIONS = ("files", "entry", "distributions", "interpreter", "surroundings", "imports", "loads", "origins")


@check("readable", tier="image")
def check_readable(image: Image) -> None:
    """Every library, every piece of GPU code and every distribution's metadata can be read as a whole."""
    for one in image.probe.get("files", {}).get("unreadable", []):
        image.finding(
            f"{one['path']} cannot be read: {one['error']}",
            path=one["path"],
            cause="the file is cut off or damaged, for instance by a download or a layer that was not whole",
            fix="install what it belongs to again; whatever loads it fails",
        )
    for one in image.probe.get("broken_metadata", []):
        image.finding(
            f"{one['path']}: {one['error']}",
            path=one["path"],
            cause="a step edited the file, or a build tool wrote it wrongly",
            fix="install the distribution again; pip and importlib.metadata fail or guess where they read it",
        )
    if image.probe.kind == "no-python":
        return
    for section in _SECTIONS:
        found = image.probe.get(section)
        if isinstance(found, dict) and set(found) == {"error"} and found["error"] != image.probe.error:
            image.finding(
                f"the image does not tell its {section}: {found['error']}",
                cause="something in the image keeps a process that looks around from its answer",
                fix="run the same in the image by hand; the checks that need it are not run",
            )
