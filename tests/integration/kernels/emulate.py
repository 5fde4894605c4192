"""Run a kernel pack in tinygrad's emulator of the AMD instruction set: no GPU, no HIP runtime, the same machine code.

    python emulate.py TINYGRAD_CHECKOUT PACK [--arch gfx950]...

Prints what ``run_pack.py`` prints, and judges with its functions. The emulator (test/mockgpu/amd/emu.py of a checkout
of tinygrad; not part of its wheel) knows gfx950's CDNA instructions, RDNA 3 and RDNA 4; gfx90a and gfx942 kernels run
in it as far as they use what the CDNA generations share.
"""

from __future__ import annotations

import argparse
import ctypes
import importlib.util
import json
import struct
import sys
import time
import traceback
from pathlib import Path

from elftools.elf.elffile import ELFFile

INSIDE = Path(__file__).parents[3] / "builder/rocmimg/checks/kernels/inside"
LDS_SHIFT, LDS_GRANULE = 15, 512
PAGE = 4096


def load_run_pack():
    spec = importlib.util.spec_from_file_location("run_pack", INSIDE / "run_pack.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Emulated:
    """The calls of ``run_pack.Runtime``, on this process's own memory."""

    def __init__(self, run_asm):
        self.run_asm = run_asm
        self.kept = []

    def select(self, arch):
        self.arch = {"gfx9": "cdna", "gfx11": "rdna3", "gfx12": "rdna4"}["gfx9" if arch[3] == "9" else arch[:5]]

    def load(self, code, symbol):
        import io

        elf = ELFFile(io.BytesIO(code))
        loads = [s for s in elf.iter_segments() if s["p_type"] == "PT_LOAD"]
        memory = ctypes.create_string_buffer(max(s["p_vaddr"] + s["p_memsz"] for s in loads) + 2 * PAGE)
        base = -(-ctypes.addressof(memory) // PAGE) * PAGE
        for segment in loads:
            ctypes.memmove(base + segment["p_vaddr"], segment.data(), segment["p_filesz"])
        (descriptor,) = elf.get_section_by_name(".dynsym").get_symbol_by_name(f"{symbol}.kd")
        self.kept.append(memory)
        return base, base + descriptor["st_value"], len(memory)

    def allocate(self, content):
        memory = ctypes.create_string_buffer(content, len(content))
        self.kept.append(memory)
        return ctypes.c_uint64(ctypes.addressof(memory))

    def read(self, pointer, size):
        return ctypes.string_at(pointer.value, size)

    def launch(self, function, kernel, arguments):
        _, descriptor, size = function
        fixed_lds, scratch, _, _, entry = struct.unpack("<IIIIq", ctypes.string_at(descriptor, 24))
        rsrc2, properties = struct.unpack("<IH", ctypes.string_at(descriptor + 52, 6))
        lds = -(-(fixed_lds + kernel["shared_bytes"]) // LDS_GRANULE)
        rsrc2 = (rsrc2 & ~(0x1FF << LDS_SHIFT)) | lds << LDS_SHIFT
        segment = bytearray(kernel["segment_bytes"])
        segment[: len(arguments)] = arguments
        for hidden in kernel["hidden"]:
            what, _, axis = hidden["kind"].removeprefix("hidden_").rpartition("_")
            if what in ("block_count", "group_size"):
                value = kernel["grid" if what == "block_count" else "block"]["xyz".index(axis)]
                segment[hidden["offset"] : hidden["offset"] + hidden["size"]] = value.to_bytes(hidden["size"], "little")
        pointer = self.allocate(bytes(segment))
        registers = []
        # The order in which the hardware sets up user SGPRs (LLVM's AMDGPU usage guide): only these are in use.
        if properties & 0b1:
            registers += [0, 0, 0, 0]
        if properties & 0b10:
            registers += [0, 0]
        if properties & 0b1000:
            registers += [pointer.value & 0xFFFFFFFF, pointer.value >> 32]
        self.run_asm(
            descriptor + entry, size, *kernel["grid"], *kernel["block"], pointer.value,
            rsrc2=rsrc2, scratch_size=scratch, arch=self.arch, user_data=registers,
        )  # fmt: skip

    def free(self, _):
        """Everything is kept until the process ends."""


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("tinygrad", type=Path)
    parser.add_argument("pack", type=Path)
    parser.add_argument("--arch", action="append")
    options = parser.parse_args()
    sys.path.insert(0, str(options.tinygrad))
    from test.mockgpu.amd.emu import run_asm

    run_pack = load_run_pack()
    for kernel in json.loads((options.pack / "manifest.json").read_text())["kernels"]:
        if options.arch and kernel["arch"] not in options.arch:
            continue
        print(json.dumps({"event": "start", "id": kernel["id"]}), flush=True)
        begin = time.monotonic()
        try:
            result = run_pack.attempt(Emulated(run_asm), options.pack, kernel)
        except Exception:
            result = {"status": "not-run", "reason": "the emulator: " + traceback.format_exc(limit=-3)}
        seconds = round(time.monotonic() - begin, 1)
        print(json.dumps({"event": "result", "id": kernel["id"], "seconds": seconds, **result}), flush=True)


if __name__ == "__main__":
    main()
