"""MORI: its C++ core is bound as a compiled module that the build puts beside the Python files.

Source: ROCm/mori, python/mori and setup.py (extension mori.libmori_pybinds).
"""

from __future__ import annotations

from typing import Final

from rocmimg.contract.rules import Rules

RULES: Final = Rules(package="mori", built=("libmori_pybinds", "cpp"))
