"""Reads an AMD GPU code object: architecture, kernels, and how each takes its arguments."""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from rocmimg.checks.probe.machines import machine


class NotACodeObject(ValueError):
    """The bytes are no ELF file for an AMD GPU."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Argument:
    """One argument in a kernel's argument segment."""

    kind: str
    """``global_buffer``, ``by_value`` or ``hidden_...``, which the runtime fills in."""
    offset: int
    size: int
    """Bytes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kernel:
    """One kernel of a code object, as its metadata describes it."""

    name: str
    arguments: tuple[Argument, ...]
    segment_bytes: int
    """Size of the argument segment, hidden arguments included."""
    wavefront: int
    max_threads: int
    static_shared_bytes: int
    spills: int
    """Registers, vector and scalar, that did not fit."""

    @property
    def explicit(self) -> tuple[Argument, ...]:
        """The arguments that the caller passes."""
        return tuple(a for a in self.arguments if not a.kind.startswith("hidden_"))


@dataclass(frozen=True, slots=True, kw_only=True)
class CodeObject:
    """One ELF file for one architecture."""

    arch: str
    """By the machine number in e_flags."""
    target: str
    """By the metadata, for instance ``amdgcn-amd-amdhsa--gfx942``."""
    symbols: frozenset[str]
    kernels: Mapping[str, Kernel]


def read_code_object(data: bytes) -> CodeObject:
    """Parse a code object.

    Raises:
        NotACodeObject: it is something else, or has no metadata.
    """
    import msgspec
    from elftools.common.exceptions import ELFError
    from elftools.elf.elffile import ELFFile
    from elftools.elf.sections import SymbolTableSection
    from elftools.elf.segments import NoteSegment

    try:
        elf = ELFFile(io.BytesIO(data))
    except ELFError as error:
        raise NotACodeObject(f"not an ELF file: {error}") from error
    if elf["e_machine"] != "EM_AMDGPU":
        raise NotACodeObject(f"an ELF file for {elf['e_machine']}")
    notes = [
        note["n_descdata"]
        for segment in elf.iter_segments()
        if isinstance(segment, NoteSegment)
        for note in segment.iter_notes()
        if note["n_name"] == "AMDGPU"
    ]
    if not notes:
        raise NotACodeObject("it has no AMDGPU metadata")
    metadata: dict[str, Any] = msgspec.msgpack.decode(notes[0])
    table = elf.get_section_by_name(".dynsym")
    return CodeObject(
        arch=machine(elf["e_flags"]),
        target=metadata["amdhsa.target"],
        symbols=frozenset(symbol.name for symbol in table.iter_symbols())
        if isinstance(table, SymbolTableSection)
        else frozenset(),
        kernels={kernel[".name"]: _kernel(kernel) for kernel in metadata["amdhsa.kernels"]},
    )


def _kernel(said: Mapping[str, Any]) -> Kernel:
    return Kernel(
        name=said[".name"],
        arguments=tuple(
            Argument(kind=a[".value_kind"], offset=a[".offset"], size=a[".size"]) for a in said.get(".args", ())
        ),
        segment_bytes=said[".kernarg_segment_size"],
        wavefront=said[".wavefront_size"],
        max_threads=said[".max_flat_workgroup_size"],
        static_shared_bytes=said[".group_segment_fixed_size"],
        spills=said.get(".vgpr_spill_count", 0) + said.get(".sgpr_spill_count", 0),
    )
