"""F14: HSA_OVERRIDE_GFX_VERSION baked into an image."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from rocmimg.lint.context import LintFile
from rocmimg.lint.model import Hit, Level, Rule

_NAME: Final = "HSA_OVERRIDE_GFX_VERSION"


def check(file: LintFile) -> Iterable[Hit]:
    for instruction in file.dockerfile.instructions:
        if instruction.keyword != "ENV":
            continue
        for pair in instruction.pairs:
            if pair.name == _NAME:
                state = "is set" if (pair.value or "").strip("\"'") else "is empty"
                yield Hit(start=pair.start, end=pair.end, message=f"{_NAME} {state} for every GPU that runs this image")


RULE: Final = Rule(
    id="ROC014",
    failure_class="F14",
    level=Level.WARNING,
    title="HSA_OVERRIDE_GFX_VERSION is part of the image",
    why="The runtime takes every GPU for that version and loads code that it cannot run; an empty value breaks it too.",
    fix="Build for the GPU's arch. Leave the override to the user of a GPU that needs it.",
    case="unsloth#3324",
    bad="FROM rocm/pytorch:latest\nENV HSA_OVERRIDE_GFX_VERSION=11.0.0\n",
    good="FROM rocm/pytorch:latest\nENV PYTORCH_ROCM_ARCH=gfx1101\n",
    check=check,
)
