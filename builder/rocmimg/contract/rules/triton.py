"""Triton: the compiler is a compiled module, and backends are linked into the package by its build.

Source: triton-lang/triton, python/triton and setup.py.
"""

from __future__ import annotations

from typing import Final

from rocmimg.contract.rules import Rules

RULES: Final = Rules(
    package="triton",
    built=("_C", "backends.amd", "backends.nvidia", "language.extra.hip", "language.extra.cuda", "profiler"),
    transparent=(*Rules(package="").transparent, "builtin", "_tensor_member_fn", "core.builtin"),
)
