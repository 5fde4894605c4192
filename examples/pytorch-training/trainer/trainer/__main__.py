"""Fit a line: `python3 -m trainer [STEPS]`."""

import sys

import torch

from trainer.defaults import PRECISION


def main() -> None:
    steps = int(sys.argv[1]) if len(sys.argv) > 1 else 200
    device = "cuda" if torch.cuda.is_available() else "cpu"
    dtype = {"bf16": torch.bfloat16, "fp32": torch.float32}[PRECISION]
    x = torch.linspace(-1, 1, 256, device=device).unsqueeze(1)
    y = 3 * x + 0.5
    model = torch.nn.Linear(1, 1, device=device)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.2)
    for _ in range(steps):
        with torch.autocast(device, dtype=dtype, enabled=dtype is not torch.float32):
            loss = torch.nn.functional.mse_loss(model(x).float(), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    print(f"{device} {PRECISION} slope {model.weight.item():.2f} offset {model.bias.item():.2f}")


if __name__ == "__main__":
    main()
