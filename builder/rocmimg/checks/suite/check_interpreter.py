from __future__ import annotations

from rocmimg.checks import Image, check, fail


@check("interpreter", tier="import")
def check_interpreter(image: Image) -> None:
    """The image's Python starts and can look around."""
    if image.probe.error:
        fail(
            image.probe.error,
            cause=f"`{image.expect.python}` is not in the image, or does not run there",
            fix="install it in the base, or name the right one with the key `python`",
        )
    image.note(**image.probe["interpreter"])
