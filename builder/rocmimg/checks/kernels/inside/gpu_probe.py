"""Numerics of torch, Triton, AITER and the collectives on the GPU that is there, compared with float64 on the CPU.

    python3 inside gpu_probe [--only ID]... [--arch gfx942]

``--arch`` says that such a GPU is there: then a torch that is built for ROCm and sees none is wrong. Runs on AMD and
on NVIDIA GPUs. Prints what ``run_pack.py`` prints, and one line ``{"event": "device", ...}`` before. A check that does
not end within its limit is ended with its process; the traceback on standard error then begins with "Timeout".
"""

from __future__ import annotations

import argparse
import faulthandler
import importlib
import importlib.util
import inspect
import json
import subprocess
import sys
import tempfile
import time
import traceback
from pathlib import Path
from typing import Any, Callable, Tuple

from .bench import Bench, NotRun, NotThere, Wrong

FNUZ = ("gfx940", "gfx941", "gfx942")
WITH_FP8 = (*FNUZ, "gfx950", "gfx12", "sm_89", "sm_9", "sm_10", "sm_12")
ROUNDED = {"float32": 1e-5, "float16": 1e-3, "bfloat16": 4e-3}
"""Largest relative error, by norms, of a result that is rounded to this type."""
EPS = 1e-6
LIMIT_S = {"aiter": 900, "all": 180}
"""By the first word of a check's id: AITER may compile a kernel at its first use."""

Comparison = Tuple[Any, Any, float]
"""What came out, what must come out in float64, and the largest relative error."""


def gemm(bench: Bench, dtype: str) -> Comparison:
    a, b = bench.normal(512, 1024, dtype=dtype), bench.normal(1024, 384, dtype=dtype)
    out = bench.poisoned(512, 384, dtype=dtype)
    bench.torch.backends.cuda.matmul.allow_tf32 = False
    bench.torch.mm(a.cuda(), b.cuda(), out=out)
    return out, a.double() @ b.double(), ROUNDED[dtype]


def fp8(bench: Bench) -> Any:
    if not bench.arch.startswith(WITH_FP8):
        raise NotThere(f"{bench.arch} has no fp8")
    return bench.torch.float8_e4m3fnuz if bench.arch in FNUZ else bench.torch.float8_e4m3fn


def gemm_fp8(bench: Bench) -> Comparison:
    a, b = bench.normal(512, 1024).to(fp8(bench)), bench.normal(384, 1024).to(fp8(bench))
    one = bench.torch.ones((), device="cuda")
    bench.poison_pool()
    multiply = bench.torch._scaled_mm  # noqa: SLF001 - torch has no other product of fp8
    out = multiply(a.cuda(), b.cuda().t(), scale_a=one, scale_b=one, out_dtype=bench.torch.bfloat16)
    return out[0] if isinstance(out, tuple) else out, a.double() @ b.double().t(), ROUNDED["bfloat16"]


def normalized(x: Any, weight: Any) -> Any:
    x, weight = x.double(), weight.double()
    return x / (x.square().mean(-1, keepdim=True) + EPS).sqrt() * weight


def torch_rmsnorm(bench: Bench) -> Comparison:
    function = getattr(bench.torch.nn.functional, "rms_norm", None)
    if function is None:
        raise NotThere(f"torch {bench.torch.__version__} has no rms_norm")
    x, weight = bench.normal(128, 4096), bench.normal(4096)
    bench.poison_pool()
    return function(x.cuda(), (4096,), weight.cuda(), EPS), normalized(x, weight), ROUNDED["bfloat16"]


def torch_softmax(bench: Bench) -> Comparison:
    x = bench.normal(128, 4096) * 4
    bench.poison_pool()
    return bench.torch.softmax(x.cuda(), -1), bench.torch.softmax(x.double(), -1), ROUNDED["bfloat16"]


def torch_attention(bench: Bench) -> Comparison:
    query, key, value = (bench.normal(2, 8, 256, 64) for _ in range(3))
    function = bench.torch.nn.functional.scaled_dot_product_attention
    bench.poison_pool()
    out = function(query.cuda(), key.cuda(), value.cuda(), is_causal=True)
    scores = query.double() @ key.double().transpose(-1, -2) / 8
    hidden = bench.torch.ones(256, 256, dtype=bench.torch.bool).triu(1)
    return out, scores.masked_fill(hidden, float("-inf")).softmax(-1) @ value.double(), 1e-2


def triton_kernel(name: str) -> Any:
    if importlib.util.find_spec("triton") is None:
        raise NotThere("Triton is not installed")
    return getattr(importlib.import_module(".triton_aot", __package__), name)


def triton_vector_add(bench: Bench) -> Comparison:
    count = 1_000_003
    a, b = bench.normal(count, dtype="float32"), bench.normal(count, dtype="float32")
    out = bench.poisoned(count, dtype="float32")
    triton_kernel("vector_add")[(-(-count // 256),)](a.cuda(), b.cuda(), out, count, BLOCK=256)
    return out, a.double() + b.double(), 1e-6


def triton_rmsnorm(bench: Bench) -> Comparison:
    x, weight, out = bench.normal(128, 4000), bench.normal(4000), bench.poisoned(128, 4000)
    triton_kernel("rmsnorm")[(128,)](x.cuda(), weight.cuda(), out, 4000, EPS, BLOCK=4096)
    return out, normalized(x, weight), ROUNDED["bfloat16"]


def triton_matmul(bench: Bench) -> Comparison:
    a, b = bench.normal(512, 1024), bench.normal(384, 1024)
    out = bench.poisoned(512, 384, dtype="float32")
    triton_kernel("matmul_bf16")[(384 // 64, 512 // 64)](a.cuda(), b.cuda(), out, 384, 1024, TILE=64, DEPTH=32)
    return out, a.double() @ b.double().t(), 1e-5


def from_aiter(name: str, module: str = "aiter") -> Any:
    if importlib.util.find_spec("aiter") is None:
        raise NotThere("AITER is not installed")
    found = getattr(importlib.import_module(module), name, None)
    if found is None:
        raise NotThere(f"this AITER has no {module}.{name}")
    return found


def aiter_rmsnorm(bench: Bench) -> Comparison:
    function = from_aiter("rmsnorm2d_fwd")
    x, weight = bench.normal(128, 4096), bench.normal(4096)
    bench.poison_pool()
    return function(x.cuda(), weight.cuda(), EPS), normalized(x, weight), ROUNDED["bfloat16"]


def aiter_quant(bench: Bench) -> Comparison:
    function, dtype = from_aiter("dynamic_per_tensor_quant"), fp8(bench)
    x = bench.normal(128, 4096)
    out = bench.poisoned(128, 4096, dtype="float32").to(dtype)
    scale = bench.poisoned(1, dtype="float32")
    function(out, x.cuda(), scale)
    expected = float(x.double().abs().max()) / bench.torch.finfo(dtype).max
    if not abs(float(scale) / expected - 1) <= 1e-2:  # noqa: PLR2004 - NaN must not pass
        raise Wrong(f"scale {float(scale):.4g}, expected {expected:.4g}")
    return out.double() * scale.double(), x.double(), 4e-2  # three bits of mantissa


def aiter_gemm(bench: Bench) -> Comparison:
    function = from_aiter("tgemm", "aiter.tuned_gemm").mm
    a, b = bench.normal(512, 1024), bench.normal(384, 1024)
    bench.poison_pool()
    return function(a.cuda(), b.cuda()), a.double() @ b.double().t(), ROUNDED["bfloat16"]


def aiter_fused_qk_rmsnorm(bench: Bench) -> Comparison:
    function = from_aiter("fused_qk_rmsnorm")
    (q, q_weight), (k, k_weight) = ((bench.normal(128, n), bench.normal(n)) for n in (1536, 512))
    names = inspect.signature(function).parameters
    device = {"q": q.cuda(), "q_weight": q_weight.cuda(), "k": k.cuda(), "k_weight": k_weight.cuda()}
    # Two functions carry this name: v0.1.12 and v0.1.13 return the results, later ones write them where they are told.
    if "q_eps" in names:
        bench.poison_pool()
        outs = function(**device, q_eps=EPS, k_eps=EPS)
    elif "q_out_quantized" in names:
        outs = bench.poisoned(128, 1536), bench.poisoned(128, 512)
        function(**device, q_out_quantized=outs[0], k_out=outs[1], q_epsilon=EPS, k_epsilon=EPS)
    else:
        raise NotRun(f"its fused_qk_rmsnorm takes {', '.join(names)}, which this check does not know")
    together = bench.torch.cat
    expected = together([normalized(q, q_weight), normalized(k, k_weight)], -1)
    return together(list(outs), -1), expected, ROUNDED["bfloat16"]


def share(bench: Bench, seed: int) -> Any:
    """What one rank gives to a sum."""
    return bench.torch.randn(1 << 20, generator=bench.torch.Generator().manual_seed(seed))


def all_reduce(bench: Bench) -> Comparison:
    if bench.count < 2:  # noqa: PLR2004
        raise NotRun("a collective needs two GPUs, and one is visible")
    seed = bench.random.initial_seed()
    with tempfile.TemporaryDirectory() as folder:
        job = {"folder": folder, "world": bench.count, "seed": seed}
        script = [sys.executable, str(Path(__file__).parent), "gpu_probe", "--rank-of", json.dumps(job)]
        logs = [Path(folder) / f"log.{rank}" for rank in range(bench.count)]
        ranks = [
            subprocess.Popen([*script, "--rank", str(rank)], stdout=sys.stderr, stderr=log.open("wb"))
            for rank, log in enumerate(logs)
        ]
        for rank, log in zip(ranks, logs):
            if rank.wait():
                raise Wrong(f"a rank ended with {rank.returncode}: {log.read_text(errors='replace').strip()[-800:]}")
        outs = [bench.torch.load(Path(folder) / f"sum.{rank}") for rank in range(bench.count)]
    expected = sum(share(bench, seed + rank).double() for rank in range(bench.count))
    return bench.torch.cat(outs), bench.torch.cat([expected] * bench.count), ROUNDED["float32"]


def one_rank(job: dict[str, Any], rank: int) -> None:
    # Before the parent's own limit, so that it can say which rank hung.
    faulthandler.dump_traceback_later(LIMIT_S["all"] - 20, exit=True)
    bench = Bench(None)
    bench.torch.cuda.set_device(rank)
    collective = importlib.import_module("torch.distributed")
    store = f"file://{job['folder']}/store"
    collective.init_process_group("nccl", init_method=store, rank=rank, world_size=job["world"])
    values = share(bench, job["seed"] + rank).cuda()
    collective.all_reduce(values)
    bench.torch.save(values.cpu(), Path(job["folder"]) / f"sum.{rank}")
    collective.destroy_process_group()


CHECKS: dict[str, Callable[[Bench], Comparison]] = {
    "torch-gemm-fp32": lambda bench: gemm(bench, "float32"),
    "torch-gemm-bf16": lambda bench: gemm(bench, "bfloat16"),
    "torch-gemm-fp16": lambda bench: gemm(bench, "float16"),
    "torch-gemm-fp8": gemm_fp8,
    "torch-rmsnorm": torch_rmsnorm,
    "torch-softmax": torch_softmax,
    "torch-attention": torch_attention,
    "triton-vector-add": triton_vector_add,
    "triton-rmsnorm": triton_rmsnorm,
    "triton-matmul-bf16": triton_matmul,
    "aiter-rmsnorm": aiter_rmsnorm,
    "aiter-quant": aiter_quant,
    "aiter-gemm": aiter_gemm,
    "aiter-fused-qk-rmsnorm": aiter_fused_qk_rmsnorm,
    "all-reduce": all_reduce,
}


def verdict(why: Exception) -> dict[str, Any]:
    kinds = {NotThere: "not-applicable", NotRun: "not-run", Wrong: "failed"}
    return {"status": kinds[type(why)], "reason": str(why)}


def attempt(bench: Bench, check: Callable[[Bench], Comparison]) -> dict[str, Any]:
    """Status and reason of one check."""
    try:
        found, expected, tolerance = check(bench)
        error = bench.compare(found, expected)
    except (NotThere, NotRun, Wrong) as why:
        return verdict(why)
    except Exception as why:  # whatever a library throws is the finding
        return {"status": "failed", "reason": f"{type(why).__name__}: {why}"[:800], "trace": traceback.format_exc()}
    passed = error <= tolerance
    reason = "" if passed else f"relative error {error:.3g}, allowed {tolerance:.3g}"
    return {"status": "passed" if passed else "failed", "reason": reason, "error": error, "tolerance": tolerance}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--only", action="append", choices=CHECKS)
    parser.add_argument("--arch")
    parser.add_argument("--rank-of", type=json.loads, help=argparse.SUPPRESS)
    parser.add_argument("--rank", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.rank_of:
        one_rank(options.rank_of, options.rank)
        return
    bench, without = None, {}
    faulthandler.dump_traceback_later(LIMIT_S["all"], exit=True)
    try:
        bench = Bench(options.arch)
        print(json.dumps({"event": "device", **bench.facts}), flush=True)
    except (NotThere, NotRun, Wrong) as why:
        without = verdict(why)
    for name in options.only or CHECKS:
        print(json.dumps({"event": "start", "id": name}), flush=True)
        begin = time.monotonic()
        faulthandler.dump_traceback_later(LIMIT_S.get(name.partition("-")[0], LIMIT_S["all"]), exit=True)
        result = attempt(bench, CHECKS[name]) if bench else without
        faulthandler.cancel_dump_traceback_later()
        seconds = round(time.monotonic() - begin, 3)
        print(json.dumps({"event": "result", "id": name, "seconds": seconds, **result}), flush=True)


if __name__ == "__main__":
    main()
