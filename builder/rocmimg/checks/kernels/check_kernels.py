"""Kernels compiled ahead of time by the image's own compilers."""

from __future__ import annotations

import pytest

from rocmimg.checks.api import Image, fail, mark, not_applicable, not_run
from rocmimg.checks.kernels.pack import Language
from rocmimg.checks.kernels.session import session_of

_NAMES = ("vector_add", "rmsnorm", "matmul_bf16")


def _each(language: Language) -> list[object]:
    return [
        pytest.param(name, marks=mark(f"aot-{language}-{name.replace('_', '-')}", tier="aot", classes=["F26"]))
        for name in _NAMES
    ]


@pytest.mark.parametrize("name", _each("hip"))
def check_hip(image: Image, name: str) -> None:
    """The image's hipcc makes the kernel for the cell's GPUs, with the right arguments and matrix instruction."""
    _judge(
        image,
        "hip",
        name,
        fix="build the image with one ROCm: hipcc, its clang and the device libraries belong together, and nothing "
        "may set another offload architecture (HIPCC_COMPILE_FLAGS_APPEND, HCC_AMDGPU_TARGET)",
    )


@pytest.mark.parametrize("name", _each("triton"))
def check_triton(image: Image, name: str) -> None:
    """The image's Triton makes the kernel for the cell's GPUs, with the right arguments and matrix instruction."""
    _judge(
        image,
        "triton",
        name,
        fix="install one Triton whose AMD backend knows this architecture, no second distribution over it, and set no "
        "other architecture (TRITON_OVERRIDE_ARCH)",
    )


def _judge(image: Image, language: Language, name: str, *, fix: str) -> None:
    attempts = session_of(image).of(language, name)
    skipped = {one.arch: one.skipped for one in attempts if one.skipped}
    image.note(
        compiler=next((one.compiled.compiler for one in attempts if one.compiled), ""),
        archs=[one.arch for one in attempts if one.compiled],
        instructions=sorted({one.instruction for one in attempts if one.instruction}),
        skipped=skipped,
    )
    for one in attempts:
        if one.problem:
            fail(f"{name} for {one.arch}: {one.problem}", cause=one.output, fix=fix)
    if len(skipped) == len(attempts):
        not_applicable("; ".join(dict.fromkeys(skipped.values())))
    if unread := next((one.unread for one in attempts if one.unread), ""):
        not_run(f"compiled, but {unread}")
