"""Kernels run on the leased GPU, against a float64 reference."""

from __future__ import annotations

import pytest

from rocmimg.checks.api import Image, fail, mark, not_applicable, not_run
from rocmimg.checks.kernels.inside.gpu_probe import CHECKS
from rocmimg.checks.kernels.pack import Language
from rocmimg.checks.kernels.runner import KernelResult
from rocmimg.checks.kernels.session import KernelSession, session_of


@pytest.mark.parametrize(
    ("language", "name"),
    [
        pytest.param(language, name, marks=mark(f"gpu-aot-{language}-{name.replace('_', '-')}", tier="gpu"))
        for language in ("hip", "triton")
        for name in ("vector_add", "rmsnorm", "matmul_bf16")
    ],
)
def check_compiled(image: Image, language: Language, name: str) -> None:
    """The kernel that was compiled ahead of time gives the right values on the GPU, through HIP alone."""
    proof = session_of(image)
    arch = image.gpu.arch if image.gpu else ""
    attempt = next((one for one in proof.of(language, name) if one.arch == arch), None)
    if attempt is None or attempt.skipped:
        not_applicable(attempt.skipped if attempt else f"nothing is compiled for {arch}")
    if attempt.compiled is None:
        not_run(f"it does not compile: {attempt.problem}")
    _judge(image, proof, proof.packed[attempt.compiled.id])


@pytest.mark.parametrize("name", [pytest.param(name, marks=mark(f"gpu-{name}", tier="gpu")) for name in CHECKS])
def check_library(image: Image, name: str) -> None:
    """The library's operation gives the right values on the GPU."""
    proof = session_of(image)
    _judge(image, proof, proof.probed[name])


def _judge(image: Image, proof: KernelSession, result: KernelResult) -> None:
    image.note(error=result.error, tolerance=result.tolerance, seconds=result.seconds)
    if result.status == "not-applicable":
        not_applicable(result.reason)
    if result.status == "not-run":
        not_run(result.reason)
    if result.hung or result.crashed:
        image.note(evidence={"the process": result.output, **proof.evidence})
    if result.status == "failed":
        cause, fix = "", "compare the versions in the image with those of the last image that passed"
        if result.hung or result.crashed:
            cause = result.output.splitlines()[-1] if result.output else ""
            fix = "read the kernel log and the GPU's state that are attached before anybody uses the GPU again"
        fail(result.reason, cause=cause, fix=fix)
