"""What the machine says of its GPUs after a kernel hung or crashed."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from rocmimg.checks.kernels.local import run_here

if TYPE_CHECKING:
    from rocmimg.checks.kernels.runner import Execute

_LINES: Final = 40
_LOG_LIMIT_S: Final = 10.0
_TOOLS: Final = (("amd-smi", "metric", "--usage", "--mem-usage"), ("amd-smi", "process"), ("rocm-smi",))
_OF_GPUS: Final = re.compile(r"amdgpu|kfd|\bdrm\b|iommu|NVRM|Xid", re.IGNORECASE)


def collect(execute: Execute) -> dict[str, str]:
    """The GPU's state by amd-smi where the kernel ran, and this machine's kernel log, or why they cannot be had."""
    found = {}
    for tool in _TOOLS:
        done = execute(tool)
        text = (done.stdout if done.exit_code == 0 else done.stderr or done.stdout).decode(errors="replace")
        found[" ".join(tool)] = "does not answer" if done.timed_out else _tail(text) or f"exits {done.exit_code}"
    log = run_here(["dmesg"], _LOG_LIMIT_S)
    if log.exit_code:
        found["kernel log"] = f"cannot be read: {_tail(log.stderr.decode(errors='replace'))}"
    else:
        lines = [line for line in log.stdout.decode(errors="replace").splitlines() if _OF_GPUS.search(line)]
        found["kernel log"] = "\n".join(lines[-_LINES:]) or "has no line about a GPU"
    return found


def _tail(text: str) -> str:
    return "\n".join(text.strip().splitlines()[-_LINES:])
