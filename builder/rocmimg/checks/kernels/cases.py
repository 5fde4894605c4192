"""The kernels that are proven: their arguments, random inputs, and what they must give, in float64.

Plain Python, on purpose: the reference shares no code with what it judges, and the sizes are small.
"""

from __future__ import annotations

import array
import math
import random
import struct
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

DType = Literal["f32", "bf16", "i32"]
Vector = Sequence[float]

SIZES: Final[Mapping[str, int]] = {"f32": 4, "bf16": 2, "i32": 4}
"""Bytes an element."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Buffer:
    """An array in device memory."""

    name: str
    dtype: DType
    shape: tuple[int, ...]

    @property
    def count(self) -> int:
        """Elements."""
        return math.prod(self.shape)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scalar:
    """An argument that is passed by value."""

    name: str
    dtype: DType
    value: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One kernel with one problem. Arguments come in the order inputs, output, scalars."""

    name: str
    inputs: tuple[Buffer, ...]
    output: Buffer
    scalars: tuple[Scalar, ...]
    grid: tuple[int, int, int]
    """Blocks."""
    threads: int
    """Threads a block of the HIP kernel; Triton chooses its own."""
    tolerance: float
    """Largest relative error, by norms."""
    matrix: bool
    """Whether it must use the architecture's matrix instruction."""
    reference: Callable[[Mapping[str, Vector]], Vector]

    def random_inputs(self, seed: int) -> dict[str, bytes]:
        """Normally distributed values in the inputs' types, little-endian; the same for the same seed."""
        draw = random.Random(f"{self.name} {seed}").gauss  # noqa: S311 - test data
        return {b.name: encode(b.dtype, [draw(0.0, 1.0) for _ in range(b.count)]) for b in self.inputs}

    def expected(self, inputs: Mapping[str, bytes]) -> array.array[float]:
        """The output in float64."""
        return array.array("d", self.reference({b.name: _decode(b.dtype, inputs[b.name]) for b in self.inputs}))


def encode(dtype: DType, values: Vector) -> bytes:
    """Little-endian bytes; bf16 rounds to nearest, ties to even."""
    if dtype == "f32":
        return struct.pack(f"<{len(values)}f", *values)
    bits = struct.unpack(f"<{len(values)}I", struct.pack(f"<{len(values)}f", *values))
    return struct.pack(f"<{len(values)}H", *((b + 0x7FFF + ((b >> 16) & 1)) >> 16 for b in bits))


def _decode(dtype: DType, data: bytes) -> Vector:
    if dtype == "f32":
        return struct.unpack(f"<{len(data) // 4}f", data)
    bits = struct.unpack(f"<{len(data) // 2}H", data)
    return struct.unpack(f"<{len(bits)}f", struct.pack(f"<{len(bits)}I", *(b << 16 for b in bits)))


_COUNT: Final = 1027  # no multiple of a block or a wave
_ROWS, _COLUMNS, _EPS = 7, 1000, 1e-5
_M, _N, _K = 64, 96, 128


def _vector_add(inputs: Mapping[str, Vector]) -> Vector:
    return [a + b for a, b in zip(inputs["a"], inputs["b"], strict=True)]


def _rmsnorm(inputs: Mapping[str, Vector]) -> Vector:
    out: list[float] = []
    for start in range(0, _ROWS * _COLUMNS, _COLUMNS):
        row = inputs["x"][start : start + _COLUMNS]
        scale = 1.0 / math.sqrt(math.fsum(x * x for x in row) / _COLUMNS + _EPS)
        out += [x * scale * w for x, w in zip(row, inputs["weight"], strict=True)]
    return out


def _matmul(inputs: Mapping[str, Vector]) -> Vector:
    left = [inputs["a"][i : i + _K] for i in range(0, _M * _K, _K)]
    right = [inputs["b"][i : i + _K] for i in range(0, _N * _K, _K)]
    return [math.fsum(x * y for x, y in zip(a, b, strict=True)) for a in left for b in right]


CASES: Final = {
    case.name: case
    for case in (
        Case(
            name="vector_add",
            inputs=(Buffer(name="a", dtype="f32", shape=(_COUNT,)), Buffer(name="b", dtype="f32", shape=(_COUNT,))),
            output=Buffer(name="out", dtype="f32", shape=(_COUNT,)),
            scalars=(Scalar(name="count", dtype="i32", value=_COUNT),),
            grid=(5, 1, 1),
            threads=256,
            tolerance=1e-6,
            matrix=False,
            reference=_vector_add,
        ),
        Case(
            name="rmsnorm",
            inputs=(
                Buffer(name="x", dtype="bf16", shape=(_ROWS, _COLUMNS)),
                Buffer(name="weight", dtype="bf16", shape=(_COLUMNS,)),
            ),
            output=Buffer(name="out", dtype="bf16", shape=(_ROWS, _COLUMNS)),
            scalars=(
                Scalar(name="columns", dtype="i32", value=_COLUMNS),
                Scalar(name="eps", dtype="f32", value=_EPS),
            ),
            grid=(_ROWS, 1, 1),
            threads=256,
            tolerance=4e-3,
            matrix=False,
            reference=_rmsnorm,
        ),
        Case(
            name="matmul_bf16",
            inputs=(Buffer(name="a", dtype="bf16", shape=(_M, _K)), Buffer(name="b", dtype="bf16", shape=(_N, _K))),
            output=Buffer(name="out", dtype="f32", shape=(_M, _N)),
            scalars=(Scalar(name="n", dtype="i32", value=_N), Scalar(name="k", dtype="i32", value=_K)),
            grid=(_N // 16, _M // 16, 1),
            threads=64,
            tolerance=1e-5,
            matrix=True,
            reference=_matmul,
        ),
    )
}
