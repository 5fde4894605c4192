"""What all checks on a GPU share: torch and its device, random inputs, poisoned outputs, and the comparison."""

from __future__ import annotations

import importlib
import importlib.util
import os
from typing import Any


class NotThere(Exception):
    """There is nothing of the kind to try; the message says why."""


class NotRun(Exception):
    """The check could not be tried here; the message says why."""


class Wrong(Exception):
    """The check was tried and is wrong."""


class Bench:
    """Torch, its device, and what all checks do with them."""

    def __init__(self, need: str | None) -> None:
        if importlib.util.find_spec("torch") is None:
            raise NotThere("torch is not installed")
        try:
            self.torch = torch = importlib.import_module("torch")
        except Exception as error:
            raise Wrong(f"torch does not import: {error}") from error
        rocm, cuda = torch.version.hip, torch.version.cuda
        if not (rocm or cuda):
            raise NotThere(f"torch {torch.__version__} is built without GPU support")
        if not torch.cuda.is_available():
            if need and rocm:
                raise Wrong(f"torch {torch.__version__} sees no GPU, but {need} is there")
            raise NotRun("torch sees no GPU")
        device = torch.cuda.get_device_properties(0)
        numbers = "".join(map(str, torch.cuda.get_device_capability(0)))
        self.arch = device.gcnArchName.partition(":")[0] if rocm else f"sm_{numbers}"
        self.count = torch.cuda.device_count()
        self.facts = {"name": device.name, "arch": self.arch, "count": self.count}
        self.facts.update(torch=torch.__version__, hip=rocm, cuda=cuda)
        if need and self.arch != need:
            raise NotRun(f"found {self.arch}, need {need}")
        self.random = torch.Generator().manual_seed(int.from_bytes(os.urandom(6), "little"))

    def normal(self, *shape: int, dtype: str = "bfloat16") -> Any:
        """Random values, on the CPU."""
        return self.torch.randn(*shape, generator=self.random).to(getattr(self.torch, dtype))

    def poisoned(self, *shape: int, dtype: str = "bfloat16") -> Any:
        """An output full of NaN."""
        return self.torch.full(shape, float("nan"), dtype=getattr(self.torch, dtype), device="cuda")

    def poison_pool(self) -> None:
        """Leave NaN in the memory that the allocator hands out next, for functions that allocate their own output."""
        blocks = [self.poisoned(1 << size, dtype="float32") for size in range(14, 21) for _ in range(4)]
        del blocks

    def compare(self, found: Any, expected: Any) -> float:
        """Relative error by norms. Raises Wrong on another shape, a NaN or an infinity."""
        self.torch.cuda.synchronize()
        found = found.double().cpu()
        if found.shape != expected.shape:
            raise Wrong(f"shape {tuple(found.shape)}, expected {tuple(expected.shape)}")
        bad = int((~self.torch.isfinite(found)).sum())
        if bad:
            raise Wrong(f"{bad} of {found.numel()} values are NaN, infinite or never written")
        return float((found - expected).norm() / expected.norm())
