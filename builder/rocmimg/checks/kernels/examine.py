"""Judges a code object that a compiler made: right architecture, right kernel, right arguments, right instruction.

The instruction names are those that clang 21 and Triton 3.9 emit.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from rocmimg.checks.kernels.cases import Case
from rocmimg.checks.kernels.code_object import NotACodeObject, read_code_object
from rocmimg.checks.kernels.pack import Compiled, Language, LayoutError, lay_out


@dataclass(frozen=True, slots=True, kw_only=True)
class Isa:
    """One architecture, as compilers see it."""

    arch: str
    wavefront: int
    """Threads a wave in compute kernels."""
    matrix: str
    """The instruction that a bf16 product of 16 x 16 tiles must use."""
    mfma: bool
    """The HIP matrix product is written with MFMA intrinsics, which GPUs with WMMA do not have."""


_WMMA: Final = "v_wmma_f32_16x16x16_bf16"

ISAS: Final = {
    isa.arch: isa
    for isa in (
        Isa(arch="gfx90a", wavefront=64, matrix="v_mfma_f32_16x16x16bf16_1k", mfma=True),
        Isa(arch="gfx942", wavefront=64, matrix="v_mfma_f32_16x16x16_bf16", mfma=True),
        Isa(arch="gfx950", wavefront=64, matrix="v_mfma_f32_16x16x32_bf16", mfma=True),
        Isa(arch="gfx1250", wavefront=32, matrix="v_wmma_f32_16x16x32_bf16", mfma=False),
        *(
            Isa(arch=arch, wavefront=32, matrix=_WMMA, mfma=False)
            for arch in ("gfx1100", "gfx1101", "gfx1150", "gfx1151", "gfx1200", "gfx1201")
        ),
    )
}

_MATRIX: Final = re.compile(r"\bv_(?:mfma|wmma)_\w+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Product:
    """What came out of a compiler, unread."""

    language: Language
    case: Case
    arch: str
    compiler: str
    """Name and version."""
    code: bytes
    assembly: str
    """Empty where there is no disassembler."""
    threads: int
    """A block."""
    shared_bytes: int
    """Dynamic shared memory that a launch must ask for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One kernel, one architecture, one compiler. One of ``compiled``, ``problem`` and ``skipped`` is set."""

    language: Language
    case: Case
    arch: str
    compiled: Compiled | None = None
    problem: str = ""
    """What is wrong with the compiler or with what it made."""
    output: str = ""
    """The compiler's last words, where it failed."""
    skipped: str = ""
    """Why there is nothing to try."""
    instruction: str = ""
    """The matrix instruction that it uses."""
    unread: str = ""
    """Why that instruction could not be looked for."""


def examine(product: Product) -> Attempt:
    """Read a code object and hold it against its case."""
    problem, compiled = "", None
    try:
        compiled = _compiled(product)
    except (NotACodeObject, LayoutError, _Unfit) as why:
        problem = str(why)
    found = sorted(set(_MATRIX.findall(product.assembly)))
    wanted = ISAS[product.arch].matrix
    unread = ""
    if product.case.matrix and not problem:
        if not product.assembly:
            unread = f"the image has no llvm-objdump, so nobody looked for {wanted}"
        elif wanted not in found:
            problem = f"it does not use {wanted} but {', '.join(found) or 'no matrix instruction'}"
    return Attempt(
        language=product.language,
        case=product.case,
        arch=product.arch,
        compiled=None if problem else compiled,
        problem=problem,
        instruction=wanted if product.case.matrix and wanted in found else "",
        unread=unread,
    )


class _Unfit(ValueError):
    """A code object of the wrong kind."""


def _compiled(product: Product) -> Compiled:
    isa, case = ISAS[product.arch], product.case
    code = read_code_object(product.code)
    if code.arch != isa.arch or not re.search(rf"\b{isa.arch}(?![0-9a-f])", code.target):
        raise _Unfit(f"it is for {code.arch} (metadata: {code.target}), not for {isa.arch}")
    kernel = code.kernels.get(case.name)
    if kernel is None or f"{case.name}.kd" not in code.symbols:
        raise _Unfit(f"it has no kernel {case.name}, only {', '.join(sorted(code.kernels)) or 'none'}")
    if kernel.wavefront != isa.wavefront:
        raise _Unfit(f"its waves have {kernel.wavefront} threads, not {isa.wavefront}")
    if product.threads > kernel.max_threads:
        raise _Unfit(f"it takes {kernel.max_threads} threads a block, not {product.threads}")
    lay_out(case, kernel)
    return Compiled(
        language=product.language,
        case=case,
        arch=product.arch,
        compiler=product.compiler,
        code=product.code,
        kernel=kernel,
        threads=product.threads,
        shared_bytes=product.shared_bytes,
    )
