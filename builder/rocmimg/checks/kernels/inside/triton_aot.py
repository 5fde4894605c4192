"""Triton kernels, and their compilation ahead of time for a GPU that is not there.

    python3 inside triton_aot --target hip:gfx942:64 --out FOLDER

Writes NAME.hsaco (or .cubin) and NAME.asm for each kernel, and one JSON object a line to standard output: ``{"event":
"start", "id"}``, then ``{"event": "result", "id", "status", "reason", "symbol", "warps", "shared_bytes", "version",
"seconds"}``. Needs Triton, no torch and no GPU.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
import traceback
from pathlib import Path
from typing import Any

try:
    import triton
    import triton.language as tl
except ModuleNotFoundError as missing:
    if __name__ != "__main__" or missing.name != "triton":
        raise  # a Triton that is there and does not import is a failure, not a skip
    print(json.dumps({"event": "unavailable", "reason": "Triton is not installed"}))
    sys.exit(0)


@triton.jit
def vector_add(a, b, out, count, BLOCK: tl.constexpr):
    i = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    inside = i < count
    tl.store(out + i, tl.load(a + i, mask=inside) + tl.load(b + i, mask=inside), mask=inside)


@triton.jit
def rmsnorm(x, weight, out, columns, eps, BLOCK: tl.constexpr):
    i = tl.arange(0, BLOCK)
    inside = i < columns
    row = tl.load(x + tl.program_id(0) * columns + i, mask=inside, other=0.0).to(tl.float32)
    scale = 1.0 / tl.sqrt(tl.sum(row * row, axis=0) / columns + eps)
    value = row * scale * tl.load(weight + i, mask=inside, other=0.0).to(tl.float32)
    tl.store(out + tl.program_id(0) * columns + i, value.to(tl.bfloat16), mask=inside)


@triton.jit
def matmul_bf16(a, b, out, n, k, TILE: tl.constexpr, DEPTH: tl.constexpr):
    """out = a b^T; one tile of the output a program, all sizes multiples of the tile."""
    rows = tl.program_id(1) * TILE + tl.arange(0, TILE)
    columns = tl.program_id(0) * TILE + tl.arange(0, TILE)
    depth = tl.arange(0, DEPTH)
    total = tl.zeros((TILE, TILE), dtype=tl.float32)
    for at in range(0, k, DEPTH):
        left = tl.load(a + rows[:, None] * k + at + depth[None, :])
        right = tl.load(b + columns[None, :] * k + at + depth[:, None])
        total = tl.dot(left, right, total)
    tl.store(out + rows[:, None] * n + columns[None, :], total)


# kernel -> types of its arguments, constants
KERNELS: dict[str, tuple[Any, dict[str, str], dict[str, int]]] = {
    "vector_add": (vector_add, {"a": "*fp32", "b": "*fp32", "out": "*fp32", "count": "i32"}, {"BLOCK": 256}),
    "rmsnorm": (
        rmsnorm,
        {"x": "*bf16", "weight": "*bf16", "out": "*bf16", "columns": "i32", "eps": "fp32"},
        {"BLOCK": 1024},
    ),
    "matmul_bf16": (
        matmul_bf16,
        {"a": "*bf16", "b": "*bf16", "out": "*fp32", "n": "i32", "k": "i32"},
        {"TILE": 16, "DEPTH": 32},
    ),
}


def build(name: str, target: Any, out: Path) -> dict[str, Any]:
    """Compile one kernel and write its code object and assembly."""
    from triton.compiler import ASTSource

    function, types, constants = KERNELS[name]
    signature = {**types, **dict.fromkeys(constants, "constexpr")}
    source = ASTSource(fn=function, signature=signature, constexprs=constants)
    compiled = triton.compile(source, target=target)
    binary, text = ("hsaco", "amdgcn") if target.backend == "hip" else ("cubin", "ptx")
    (out / f"{name}.{binary}").write_bytes(compiled.asm[binary])
    (out / f"{name}.asm").write_text(compiled.asm[text])
    meta = compiled.metadata
    return {"symbol": meta.name, "warps": meta.num_warps, "shared_bytes": meta.shared, "version": triton.__version__}


def main() -> None:
    from triton.backends.compiler import GPUTarget

    parser = argparse.ArgumentParser()
    parser.add_argument("--target", required=True, help="backend:arch:warp size")
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    backend, arch, warp = options.target.split(":")
    target = GPUTarget(backend, int(arch) if arch.isdigit() else arch, int(warp))
    options.out.mkdir(parents=True, exist_ok=True)
    for name in KERNELS:
        print(json.dumps({"event": "start", "id": name}), flush=True)
        begin = time.monotonic()
        try:
            result = {"status": "passed", "reason": "", **build(name, target, options.out)}
        except Exception:  # whatever a compiler throws is the finding
            result = {"status": "failed", "reason": traceback.format_exc()[-2000:]}
        seconds = round(time.monotonic() - begin, 3)
        print(json.dumps({"event": "result", "id": name, "seconds": seconds, **result}), flush=True)


if __name__ == "__main__":
    main()
