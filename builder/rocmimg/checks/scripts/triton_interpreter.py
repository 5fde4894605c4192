"""One Triton kernel on the processor, against float64. Prints a JSON object as its last line."""

import json

import torch
import triton
import triton.language as tl


@triton.jit
def rmsnorm(x, weight, out, columns, eps, BLOCK: tl.constexpr):
    """Row by row: x / sqrt(mean(x^2) + eps) * weight."""
    row = tl.program_id(0)
    at = tl.arange(0, BLOCK)
    inside = at < columns
    value = tl.load(x + row * columns + at, mask=inside, other=0.0)
    scale = 1.0 / tl.sqrt(tl.sum(value * value) / columns + eps)
    tl.store(out + row * columns + at, value * scale * tl.load(weight + at, mask=inside, other=0.0), mask=inside)


def main() -> None:
    """Run it on random input, with an output that is poisoned before."""
    torch.manual_seed(7)
    rows, columns, eps = 5, 100, 1e-6
    x, weight = torch.randn(rows, columns), torch.randn(columns)
    out = torch.full_like(x, float("nan"))
    rmsnorm[(rows,)](x, weight, out, columns, eps, BLOCK=128)
    exact = x.double() / (x.double().square().mean(1, keepdim=True) + eps).sqrt() * weight.double()
    error = ((out.double() - exact).norm() / exact.norm()).item()
    print(json.dumps({"error": error, "torch": torch.__version__, "triton": triton.__version__}))


main()
