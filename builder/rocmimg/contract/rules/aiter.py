"""AITER: kernels behind Python stubs, C++ enums, and a table of modules that moved.

Sources: ROCm/aiter, aiter/jit/core.py (compile_ops), aiter/ops/triton/__init__.py (the table, from v0.1.11 on),
csrc/include/rocm_ops.hpp (the enums), setup.py (aiter_meta in the wheel), aiter/__init__.py of v0.1.5 (aiter_)
and of v0.1.20 (the switches).
"""

from __future__ import annotations

from typing import Final

from rocmimg.contract.rules import Rules

RULES: Final = Rules(
    package="aiter",
    transparent=(*Rules(package="").transparent, "compile_ops", "torch_compile_guard", "mp_lock"),
    adds_keywords=(("compile_ops", "custom_build_args"),),
    moved=(("aiter.ops.triton", "_BACKWARD_COMPAT_MAP"),),
    enum_sources=("csrc/include/rocm_ops.hpp", "aiter_meta/csrc/include/rocm_ops.hpp"),
    switches=("AITER_TRITON_ONLY", "AITER_AOT_IMPORT"),
    mirrors=("aiter_",),
)
