"""What code for a GPU architecture must show: the names are those that clang 21 and Triton 3.9 emit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


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
