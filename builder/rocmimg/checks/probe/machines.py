"""AMD's GPU architectures: their numbers in ELF headers and what generic targets serve (llvm/docs/AMDGPUUsage.rst)."""

from __future__ import annotations

MACHINES = {
    0x20: "gfx600", 0x21: "gfx601", 0x3A: "gfx602",
    0x22: "gfx700", 0x23: "gfx701", 0x24: "gfx702", 0x25: "gfx703", 0x26: "gfx704", 0x3B: "gfx705",
    0x28: "gfx801", 0x29: "gfx802", 0x2A: "gfx803", 0x3C: "gfx805", 0x2B: "gfx810",
    0x2C: "gfx900", 0x2D: "gfx902", 0x2E: "gfx904", 0x2F: "gfx906", 0x30: "gfx908", 0x31: "gfx909", 0x3F: "gfx90a",
    0x32: "gfx90c", 0x40: "gfx940", 0x4B: "gfx941", 0x4C: "gfx942", 0x4F: "gfx950",
    0x33: "gfx1010", 0x34: "gfx1011", 0x35: "gfx1012", 0x42: "gfx1013",
    0x36: "gfx1030", 0x37: "gfx1031", 0x38: "gfx1032", 0x39: "gfx1033", 0x3E: "gfx1034", 0x3D: "gfx1035",
    0x45: "gfx1036",
    0x41: "gfx1100", 0x46: "gfx1101", 0x47: "gfx1102", 0x44: "gfx1103",
    0x43: "gfx1150", 0x4A: "gfx1151", 0x55: "gfx1152", 0x58: "gfx1153", 0x57: "gfx1154",
    0x5D: "gfx1170", 0x5E: "gfx1171", 0x5C: "gfx1172",
    0x48: "gfx1200", 0x4E: "gfx1201", 0x49: "gfx1250", 0x5A: "gfx1251", 0x50: "gfx1310",
    0x51: "gfx9-generic", 0x5F: "gfx9-4-generic", 0x52: "gfx10-1-generic", 0x53: "gfx10-3-generic",
    0x54: "gfx11-generic", 0x62: "gfx11-7-generic", 0x59: "gfx12-generic", 0x5B: "gfx12-5-generic",
    0x63: "gfx13-generic",
}  # fmt: skip
"""EF_AMDGPU_MACH -> name, of the family amdgcn."""

GENERIC = {
    "gfx9-generic": ("gfx900", "gfx902", "gfx904", "gfx906", "gfx909", "gfx90c"),
    "gfx9-4-generic": ("gfx940", "gfx941", "gfx942", "gfx950"),
    "gfx10-1-generic": ("gfx1010", "gfx1011", "gfx1012", "gfx1013"),
    "gfx10-3-generic": ("gfx1030", "gfx1031", "gfx1032", "gfx1033", "gfx1034", "gfx1035", "gfx1036"),
    "gfx11-generic": (
        "gfx1100", "gfx1101", "gfx1102", "gfx1103", "gfx1150", "gfx1151", "gfx1152", "gfx1153", "gfx1154",
    ),
    "gfx11-7-generic": ("gfx1170", "gfx1171", "gfx1172"),
    "gfx12-generic": ("gfx1200", "gfx1201"),
    "gfx12-5-generic": ("gfx1250", "gfx1251"),
    "gfx13-generic": ("gfx1310",),
}  # fmt: skip
"""Generic target -> the architectures that its code runs on."""

SPIRV = "amdgcnspirv"
"""Not machine code yet: the driver compiles it for the GPU that is there."""

_LAST_ABI_WITH_BITS = 1
_SETTINGS = {1: "", 2: "-", 3: "+"}


def machine(flags: int) -> str:
    """The architecture of a code object by its e_flags."""
    return MACHINES.get(flags & 0xFF, "unknown (0x%02x)" % (flags & 0xFF))


def target(flags: int, abi: int) -> str:
    """The target with the features that it is bound to, by e_flags and the ABI version of the ELF header."""
    name = machine(flags)
    if abi <= _LAST_ABI_WITH_BITS:
        # Code object 3: one bit a feature, and no way to say "either".
        said = (("sramecc", "+" if flags & 0x200 else ""), ("xnack", "+" if flags & 0x100 else ""))
    else:
        said = (
            ("sramecc", _SETTINGS.get(flags >> 10 & 3, "")),
            ("xnack", _SETTINGS.get(flags >> 8 & 3, "")),
        )
    return ":".join([name, *(feature + sign for feature, sign in said if sign)])
