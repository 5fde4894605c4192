"""Writes kernel packs."""

from __future__ import annotations

import array
import hashlib
import io
import zipfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, Literal

from rocmimg.checks.kernels.cases import SIZES, Buffer, Case
from rocmimg.checks.kernels.code_object import Kernel
from rocmimg.checks.kernels.manifest import (
    NAME,
    Manifest,
    PackedBuffer,
    PackedHidden,
    PackedKernel,
    PackedNull,
    PackedScalar,
)

Language = Literal["hip", "triton"]

_NUMPY: Final[Mapping[str, str]] = {"f32": "<f4", "bf16": "<u2", "f64": "<f8"}
_EPOCH: Final = (1980, 1, 1, 0, 0, 0)
_ALIGN: Final = 64


class LayoutError(ValueError):
    """A kernel does not take the arguments that its case passes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Compiled:
    """A kernel that came out of a compiler."""

    language: Language
    case: Case
    arch: str
    compiler: str
    code: bytes
    kernel: Kernel
    threads: int
    """A block."""
    shared_bytes: int
    """Dynamic."""

    @property
    def id(self) -> str:
        """As in the manifest."""
        return f"{self.language}-{self.arch}-{self.case.name}"


def lay_out(case: Case, kernel: Kernel) -> tuple[PackedBuffer | PackedScalar | PackedNull, ...]:
    """Where each argument of ``case`` goes in the kernel's argument segment.

    Pointers behind the last one are the compiler's own (Triton's scratch memory) and get zeros.

    Raises:
        LayoutError: the kernel takes others.
    """
    buffers = (*case.inputs, case.output)
    wanted = ["global_buffer"] * len(buffers) + ["by_value"] * len(case.scalars)
    found = kernel.explicit
    if [a.kind for a in found[: len(wanted)]] != wanted or any(a.kind != "global_buffer" for a in found[len(wanted) :]):
        raise LayoutError(f"{kernel.name} takes {', '.join(a.kind for a in found)}; expected {', '.join(wanted)}")
    packed: list[PackedBuffer | PackedScalar | PackedNull] = []
    for position, argument in enumerate(found):
        if position >= len(wanted):
            packed.append(PackedNull(kind="null", size=argument.size, offset=argument.offset))
        elif position < len(buffers):
            packed.append(_buffer(buffers[position], argument.offset, output=buffers[position] is case.output))
        else:
            scalar = case.scalars[position - len(buffers)]
            if argument.size != SIZES[scalar.dtype]:
                raise LayoutError(f"{kernel.name} takes {scalar.name} as {argument.size} bytes")
            packed.append(
                PackedScalar(
                    kind="scalar",
                    name=scalar.name,
                    dtype="i32" if scalar.dtype == "i32" else "f32",
                    value=scalar.value,
                    offset=argument.offset,
                )
            )
    return tuple(packed)


def _buffer(buffer: Buffer, offset: int, *, output: bool) -> PackedBuffer:
    return PackedBuffer(
        kind="output" if output else "input",
        name=buffer.name,
        dtype="bf16" if buffer.dtype == "bf16" else "f32",
        shape=buffer.shape,
        bytes=buffer.count * SIZES[buffer.dtype],
        offset=offset,
    )


def write_pack(folder: Path, kernels: Iterable[Compiled], *, seed: int, cell: str = "", image: str = "") -> Manifest:
    """Write a pack into ``folder``, which is made where it is missing; files of that name are replaced.

    Raises:
        LayoutError: a kernel does not take its case's arguments.
        OSError: the folder cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    packed, cases = [], {}
    for one in kernels:
        explicit = one.kernel.explicit
        (folder / f"{one.id}.hsaco").write_bytes(one.code)
        cases[one.case.name] = one.case
        packed.append(
            PackedKernel(
                id=one.id,
                language=one.language,
                compiler=one.compiler,
                arch=one.arch,
                code=f"{one.id}.hsaco",
                sha256=hashlib.sha256(one.code).hexdigest(),
                symbol=one.kernel.name,
                grid=one.case.grid,
                block=(one.threads, 1, 1),
                shared_bytes=one.shared_bytes,
                arguments=lay_out(one.case, one.kernel),
                arguments_bytes=max(a.offset + a.size for a in explicit),
                hidden=tuple(
                    PackedHidden(kind=a.kind, size=a.size, offset=a.offset)
                    for a in one.kernel.arguments
                    if a not in explicit
                ),
                segment_bytes=one.kernel.segment_bytes,
                data=f"{one.case.name}.npz",
                tolerance=one.case.tolerance,
            )
        )
    for case in cases.values():
        _write_data(folder / f"{case.name}.npz", case, seed)
    manifest = Manifest(
        image=image,
        cell=cell,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        seed=seed,
        kernels=tuple(packed),
    )
    (folder / NAME).write_text(manifest.model_dump_json(indent=2) + "\n")
    return manifest


def _write_data(path: Path, case: Case, seed: int) -> None:
    inputs = case.random_inputs(seed)
    expected: array.array[float] = case.expected(inputs)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for buffer in case.inputs:
            _add(archive, buffer.name, buffer.dtype, buffer.shape, inputs[buffer.name])
        _add(archive, f"expected_{case.output.name}", "f64", case.output.shape, expected.tobytes())


def _add(archive: zipfile.ZipFile, name: str, dtype: str, shape: tuple[int, ...], data: bytes) -> None:
    # The .npy format, version 1.0 (numpy.lib.format): these few lines spare every installation numpy.
    header = repr({"descr": _NUMPY[dtype], "fortran_order": False, "shape": shape}).encode()
    header += b" " * (-(len(header) + 11) % _ALIGN) + b"\n"
    member = io.BytesIO()
    member.write(b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header + data)
    archive.writestr(zipfile.ZipInfo(f"{name}.npy", _EPOCH), member.getvalue(), zipfile.ZIP_DEFLATED)
