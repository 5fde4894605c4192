"""Runs kernel packs on this machine's GPU, through HIP alone: no image, no torch, no compiler."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Final

from rocmimg.checks import device
from rocmimg.checks.kernels.diagnostics import collect
from rocmimg.checks.kernels.local import run_here
from rocmimg.checks.kernels.manifest import NAME, Manifest, load_manifest
from rocmimg.checks.kernels.runner import KernelResult, KernelRunner
from rocmimg.checks.model import CheckResult, ImageResult
from rocmimg.errors import SourceError

SCRIPT: Final = Path(__file__).parent / "inside" / "run_pack.py"
_LIMIT_S: Final = 1800.0
"""For a whole pack; each kernel has its own limit inside it."""
_TOOL_LIMIT_S: Final = 15.0


def packs(folder: Path) -> list[Path]:
    """The kernel packs in a folder: itself, or those right below it, one a cell.

    Raises:
        SourceError: there is none.
    """
    found = [folder] if (folder / NAME).is_file() else sorted(path.parent for path in folder.glob(f"*/{NAME}"))
    if not found:
        raise SourceError(
            f"{folder} holds no kernel pack",
            why=f"there is no {NAME} in it or in a folder right below it",
            next_step="`rocmimg test --export-kernels FOLDER` writes one a cell",
        )
    return found


def run_packs(folders: Sequence[Path]) -> list[ImageResult]:
    """Run every kernel of every pack on a GPU of its architecture; one result a pack, as `rocmimg test` gives them.

    All packs are read before the first kernel runs.

    Raises:
        SourceError: a pack is damaged.
    """
    return [_run(folder, manifest) for folder, manifest in [(f, load_manifest(f)) for f in folders]]


def _run(folder: Path, manifest: Manifest) -> ImageResult:
    began = time.monotonic()
    archs = sorted({kernel.arch for kernel in manifest.kernels})
    with device.leased(device.gpus(), archs) as gpus:
        visible = {"ROCR_VISIBLE_DEVICES": ",".join(str(gpu.index) for gpu in gpus)} if gpus else {}
        driver = KernelRunner(
            execute=partial(run_here, timeout=_LIMIT_S, env={**os.environ, **visible}),
            argv=[sys.executable, str(SCRIPT), str(folder)],
            ids=[kernel.id for kernel in manifest.kernels],
        )
        checks = tuple(_check(result) for result in driver.results())
    return ImageResult(
        id=manifest.cell or folder.name,
        target="",
        gpu_arch=" ".join(archs),
        image="",
        image_id=manifest.image,
        digest="",
        started=datetime.now(UTC).isoformat(timespec="seconds"),
        seconds=time.monotonic() - began,
        engine="",
        device=device.describe(gpus),
        checks=checks,
    )


def _check(result: KernelResult) -> CheckResult:
    details: dict[str, object] = {"error": result.error, "tolerance": result.tolerance}
    if result.hung or result.crashed:
        machine = collect(partial(run_here, timeout=_TOOL_LIMIT_S))
        details["evidence"] = {"the process": result.output, **machine}
    return CheckResult(
        id=result.id,
        tier="gpu",
        classes=(),
        status=result.status,
        title="The kernel gives the right values through HIP alone.",
        reason=result.reason,
        seconds=result.seconds,
        details=details,
    )
