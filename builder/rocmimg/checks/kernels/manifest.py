"""manifest.json of a kernel pack: what there is to launch, with what, and what must come out.

A pack is a folder that a GPU node or an emulator can execute without the image: code objects, inputs and expected
outputs beside the manifest. docs/kernels.md describes the format in words.
"""

from __future__ import annotations

from pathlib import Path, PurePosixPath
from typing import Annotated, Final, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from rocmimg.errors import Position, SourceError

NAME: Final = "manifest.json"


def _inside(name: str) -> str:
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts:
        raise ValueError("a file of a pack lies inside its folder")
    return name


File = Annotated[str, AfterValidator(_inside)]
Dim3 = tuple[int, int, int]


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class PackedBuffer(_Record):
    """A pointer argument: an input, filled from the data file, or an output, filled with NaN before the launch."""

    kind: Literal["input", "output"]
    name: str
    """Of the array in the data file; an output's expected value is the float64 array ``expected_<name>``."""
    dtype: Literal["f32", "bf16"]
    """bf16 lies in the data file as uint16."""
    shape: tuple[int, ...]
    bytes: int
    offset: int
    """In the argument segment."""


class PackedScalar(_Record):
    """An argument passed by value."""

    kind: Literal["scalar"]
    name: str
    dtype: Literal["i32", "f32"]
    value: float | int
    offset: int


class PackedNull(_Record):
    """An argument that the compiler added and this problem does not need, such as Triton's scratch pointers: zeros."""

    kind: Literal["null"]
    size: int
    offset: int


class PackedHidden(_Record):
    """An argument that the HIP runtime fills in. An emulator must do so itself."""

    kind: str
    """As LLVM's AMDGPU metadata calls it, for instance ``hidden_group_size_x``."""
    size: int
    offset: int


class PackedKernel(_Record):
    """One kernel and one problem."""

    id: str
    """``<language>-<arch>-<kernel>``."""
    language: Literal["hip", "triton"]
    compiler: str
    arch: str
    code: File
    """An ELF code object, as hipModuleLoadData takes it."""
    sha256: str
    """Of the code object."""
    symbol: str
    grid: Dim3
    """Blocks."""
    block: Dim3
    """Threads."""
    shared_bytes: int
    """Dynamic shared memory."""
    arguments: tuple[Annotated[PackedBuffer | PackedScalar | PackedNull, Field(discriminator="kind")], ...]
    arguments_bytes: int
    """What the caller passes: the argument segment without hidden arguments."""
    hidden: tuple[PackedHidden, ...]
    segment_bytes: int
    """The whole argument segment."""
    data: File
    """An .npz file with the inputs and the expected outputs."""
    tolerance: float
    """Largest relative error by norms: sqrt(sum((out - expected)^2) / sum(expected^2)). NaN never passes."""


class Manifest(_Record):
    """A kernel pack."""

    format: Literal["rocmimg-kernels/1"] = "rocmimg-kernels/1"
    image: str = ""
    """Id of the image that compiled the kernels."""
    cell: str = ""
    created: str
    """RFC 3339, UTC."""
    seed: int
    """Of the random inputs."""
    kernels: tuple[PackedKernel, ...]


def load_manifest(folder: Path) -> Manifest:
    """Read a pack's manifest and see that its files are there and are the ones it speaks of.

    Raises:
        SourceError: the folder is not a kernel pack, or a damaged one.
    """
    import hashlib

    path = folder / NAME
    try:
        manifest = Manifest.model_validate_json(path.read_bytes())
    except OSError as error:
        raise SourceError(
            f"{folder} is not a kernel pack",
            why=f"cannot read {NAME}: {error.strerror}",
            next_step="`rocmimg test --export-kernels FOLDER` writes one",
        ) from error
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        raise SourceError(
            "not a manifest that this version understands",
            why=f"{place}: {first['msg']}" if place else first["msg"],
            next_step="export the pack again",
            position=Position(str(path)),
        ) from error
    for kernel in manifest.kernels:
        for name in (kernel.code, kernel.data):
            if not (folder / name).is_file():
                raise SourceError(f"{name} is missing", next_step="copy the whole folder", position=Position(str(path)))
        if hashlib.sha256((folder / kernel.code).read_bytes()).hexdigest() != kernel.sha256:
            raise SourceError(
                f"{kernel.code} is not the file that the manifest describes",
                why="its sha256 differs",
                next_step="copy the pack again",
                position=Position(str(path)),
            )
    return manifest
