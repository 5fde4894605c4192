"""What the process that judges an image is told: a file between ``rocmimg test`` and its pytest."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from rocmimg.checks.model import Tier, Waiver
from rocmimg.contract.probe import Names
from rocmimg.frozen import Record
from rocmimg.plan.expected import ExpectedImage


class Gpu(Record):
    """An AMD GPU of this machine."""

    index: int
    """Number among the GPUs, as ROCR_VISIBLE_DEVICES counts."""
    arch: str
    """gfx name."""
    render: str
    """Device node, for instance /dev/dri/renderD128."""
    name: str = ""


KERNELS: Final = "kernels"
"""Where the checks write the compiled kernels, below the job's folder."""


class CheckJob(Record):
    """One image to judge."""

    planned: ExpectedImage
    detail: dict[str, Any]
    history: tuple[dict[str, Any], ...]
    container: str
    """Empty for an image in which nothing can be run."""
    tiers: tuple[Tier, ...]
    checks: tuple[str, ...] = ()
    """Only these of them; empty for all."""
    waivers: tuple[Waiver, ...] = ()
    gpu: Gpu | None = None
    no_gpu: str = "no AMD GPU"
    """Why there is no ``gpu``."""
    probe: Path
    results: Path
    """JSON lines, one a check."""
    folder: Path
    contract: tuple[Names, ...] = ()
    conditions: tuple[str, ...] = ()
    """Further conditions that the image must run under."""
    no_contract: str = ""
    """Why ``contract`` could not be read from the pins."""
