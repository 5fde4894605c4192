"""F34: a base image by a tag."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from rocmimg.lint.context import LintFile
from rocmimg.lint.images import Image
from rocmimg.lint.model import Evidence, Hit, Level, Rule

_MOVING: Final = re.compile(r"(?i)(.*[-_.])?(latest|nightly|main|master|dev|devel|edge|base|stable|rolling|daily)$")

_VERSION: Final = re.compile(r"\d+\.\d+|\d{8}")


def check(file: LintFile) -> Iterable[Hit]:
    seen: set[str] = set()
    for stage in file.dockerfile.stages:
        for variant in file.scopes.variants_of(stage):
            if file.scopes.parent(stage, variant) is not None:
                continue
            image = file.scopes.base_image(stage, variant)
            if not image or image == "scratch" or "@sha256:" in image or image in seen or image == variant.label:
                continue
            seen.add(image)
            tag = image.rpartition("/")[2].partition(":")[2]
            if not tag or (_MOVING.fullmatch(tag) and not _VERSION.search(tag)):
                what = f"the tag {tag} moves by intent" if tag else "without a tag it is `latest`"
                # A bare name may be a context of the build (`--build-context`, bake).
                named = bool(tag) or "/" in image or Image(image).torch is False
                evidence = Evidence.TEXT if named else Evidence.ASSUMED
                yield Hit(start=stage.start.start, end=stage.start.end, message=f"{image}: {what}", evidence=evidence)
            else:
                message = f"{image} has no digest: the tag can be pushed again"
                yield Hit(start=stage.start.start, end=stage.start.end, message=message, level=Level.NOTE)


RULE: Final = Rule(
    id="ROC034",
    failure_class="F34",
    level=Level.WARNING,
    title="a base image is named by a tag",
    why="The layers under the same tag change, and with them ROCm, torch and Triton.",
    fix="Add the digest: image:tag@sha256:...",
    case="rocm/vllm-dev:base",
    bad="FROM rocm/vllm-dev:base\n",
    good="FROM rocm/vllm-dev:base@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\n",
    check=check,
    replaces=("DL3006", "DL3007"),
)
