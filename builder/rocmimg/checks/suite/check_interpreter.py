from __future__ import annotations

from rocmimg.checks import Image, check, fail, not_applicable


@check("interpreter", tier="import")
def check_interpreter(image: Image) -> None:
    """The image's Python starts and can look around."""
    if image.probe.kind == "no-python" and not image.expect.planned:
        not_applicable("there is no Python in the image")
    if image.probe.error:
        fail(
            image.probe.error,
            cause=f"`{image.expect.python}` is not in the image, is too old, or does not run there",
            fix="install it in the base, or name the right one with the key `python`",
        )
    image.note(**{name: image.probe["interpreter"][name] for name in ("version", "executable", "prefix", "site")})


@check("python-start", tier="image")
def check_python_start(image: Image) -> None:
    """Python starts without a word: no start-up file prints, fails or hangs, and none hides the standard library."""
    found = image.probe["startup"]
    image.note(seconds=found["seconds"], start_files=[one["path"] for one in found["start_files"]])
    if found["error"]:
        files = ", ".join(one["path"] for one in found["start_files"])
        image.finding(
            f"the image's Python does not start quietly: {found['error']}",
            path=found["start_files"][0]["path"] if found["start_files"] else "",
            cause=f"what runs at every start: {files}" if files else "its standard library is damaged or hidden",
            fix="remove it, or let it write to standard error and end at once: it upsets programs that read Python's "
            "output, and every start",
        )
    for one in found["shadowed"]:
        image.finding(
            f"{one['path']} hides the standard library's {one['module']}",
            path=one["path"],
            cause="its folder stands before the standard library on sys.path",
            fix="rename the file, or start from another folder",
        )
