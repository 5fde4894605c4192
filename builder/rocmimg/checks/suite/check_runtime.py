"""The runtime contract: what images.yaml declares is what a container gets."""

from __future__ import annotations

from rocmimg.checks import Image, check, fail, not_applicable


@check("environment", tier="image")
def check_environment(image: Image) -> None:
    """Every variable that the target declares is in the image, with that value."""
    _need_configuration(image)
    wrong = {
        name: image.detail["env"].get(name)
        for name, value in image.expect.env.items()
        if image.detail["env"].get(name) != value
    }
    if wrong:
        told = ", ".join(
            f"{name} is not set" if value is None else f"{name} is {value!r}, not {image.expect.env[name]!r}"
            for name, value in wrong.items()
        )
        fail(told, cause="a later instruction or a template changed it", fix="declare it under `env` alone; rebuild")


@check("entry", tier="image")
def check_entry(image: Image) -> None:
    """Entry point, command, user and work directory are what the target declares."""
    _need_configuration(image)
    expect, found = image.expect, image.detail
    pairs = {
        "the entry point": (list(found["entrypoint"]), list(expect.entrypoint)),
        "the command": (list(found["cmd"]), list(expect.command)),
        "the work directory": (found["workdir"], expect.workdir),
        "the user": (found["user"] or "root", expect.user),
    }
    wrong = [f"{what} is {is_!r}, not {wanted!r}" for what, (is_, wanted) in pairs.items() if is_ != wanted]
    if wrong:
        fail("; ".join(wrong), cause="a template overrides it, or the image is older than images.yaml", fix="rebuild")


@check("labels", tier="image")
def check_labels(image: Image) -> None:
    """The labels say what the image is, and of which plan."""
    image.need_plan()
    if not (image.expect.labels or image.expect.digest):
        not_applicable("another pipeline builds the image, and says what it likes")
    labels = image.detail["labels"]
    wrong = [name for name, value in image.expect.labels.items() if not _agrees(name, labels.get(name, ""), value)]
    if wrong:
        fail(
            ", ".join(f"{name} is {labels.get(name)!r}, not {image.expect.labels[name]!r}" for name in wrong),
            cause="the image was built from another images.yaml, or not by `rocmimg build`",
            fix="rebuild it",
        )
    digest = labels.get("io.rocmimg.plan", "")
    if image.expect.digest and digest != image.expect.digest:
        fail(
            f"the image is of plan {digest[:19] or 'unknown'}, images.yaml is of plan {image.expect.digest[:19]}",
            cause="something that it is built from was changed after it was built",
            fix=f"`rocmimg plan {image.expect.cell}` says what; rebuild it",
        )


def _need_configuration(image: Image) -> None:
    """End the check where the target declares nothing: its Dockerfile, or another pipeline, decides."""
    image.need_plan()
    if not image.expect.configured:
        not_applicable("the target declares none: the image's own configuration decides")


def _agrees(name: str, found: str, expected: str) -> bool:
    # A commit that changed nothing of this image does not make it another one.
    return bool(found) if name == "org.opencontainers.image.revision" else found == expected
