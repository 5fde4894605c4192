from __future__ import annotations

from rocmimg.checks import Image, check, fail


@check("jit-locks", tier="image", classes=["F31"])
def check_jit_locks(image: Image) -> None:
    """No lock of a compiler that was interrupted is left."""
    for lock in image.probe["files"]["locks"]:
        image.finding(
            lock,
            path=lock,
            cause="a build step was ended while it compiled; the first request waits for a lock that nobody holds",
            fix="remove it in the step that made it",
        )


@check("jit-folders", tier="import", classes=["F31"])
def check_jit_folders(image: Image) -> None:
    """Whatever is compiled at the first request can be written down."""
    closed = sorted(path for path, writable in image.probe["surroundings"]["writable"].items() if not writable)
    if closed:
        fail(
            f"{', '.join(closed)} cannot be written to by {image.probe['surroundings']['user'] or 'the image user'}",
            cause="the folder belongs to another user; kernels would be compiled at every start, or not at all",
            fix="give it to the image's user, or point the variable that names it elsewhere",
        )
