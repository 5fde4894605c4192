"""Which errors of an import say that there is no GPU, and nothing of the image."""

from __future__ import annotations

import re
from typing import Final

_NO_GPU: Final = re.compile(
    r"no ((hip|rocm|cuda|amd)[ -])?(capable )?(gpu|device)s?\b|hipErrorNoDevice|amdgpu\b.*not (found|loaded)"
    r"|\b(hip|cuda)\w* error|could not (find|detect).*gpu|gpu.*not (available|found|detected)|/dev/kfd"
    r"|rocminfo|rocm_agent_enumerator|amd-?smi|driver not (initialized|loaded|found)"
    r"|unable to (detect|get|determine).*(arch|gpu)",
    re.IGNORECASE,
)
_NO_LIBRARY: Final = re.compile(r"""^(?:KeyError|OSError|FileNotFoundError): .*lib\w[\w+-]*\.so""")
"""A library that is not there; what looks it up in a table or by itself says so in other words than the loader."""
NEVER: Final = ("ImportError:", "ModuleNotFoundError:", "SyntaxError:", "IndentationError:", "NameError:")
"""No GPU makes these go away."""


def needs_gpu(error: str, trace: str = "") -> bool:
    """Whether an import that ended so may work where there is a GPU."""
    if error.startswith(NEVER) or _NO_LIBRARY.match(error):
        return False
    return bool(_NO_GPU.search(error) or _NO_GPU.search(trace[-600:]))
