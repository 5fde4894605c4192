"""Code objects that real compilers made, held against their cases."""

import pytest

from rocmimg.checks.kernels.cases import CASES
from rocmimg.checks.kernels.code_object import NotACodeObject, read_code_object
from rocmimg.checks.kernels.examine import ISAS, Product, examine

from .conftest import DATA

LISTING = "\tv_mfma_f32_16x16x16_bf16 v[2:5], v[6:7], v[8:9], v[2:5]   // 000000001234: D3E10002\n"


def product(name="matmul_bf16", arch="gfx942", *, made_for="gfx942", assembly=LISTING, code=None, threads=None):
    code = (DATA / f"hip-{made_for}-{name}.hsaco").read_bytes() if code is None else code
    return Product(
        language="hip",
        case=CASES[name],
        arch=arch,
        compiler="HIP 7",
        code=code,
        assembly=assembly,
        threads=threads or CASES[name].threads,
        shared_bytes=0,
    )


def test_a_code_object_says_what_it_is():
    code = read_code_object((DATA / "hip-gfx942-rmsnorm.hsaco").read_bytes())
    assert code.arch == "gfx942"
    assert "rmsnorm.kd" in code.symbols
    kernel = code.kernels["rmsnorm"]
    assert [(a.kind, a.offset, a.size) for a in kernel.explicit] == [
        ("global_buffer", 0, 8),
        ("global_buffer", 8, 8),
        ("global_buffer", 16, 8),
        ("by_value", 24, 4),
        ("by_value", 28, 4),
    ]
    assert kernel.wavefront == 64
    assert kernel.static_shared_bytes == 128


def test_the_right_code_is_accepted_with_its_instruction():
    attempt = examine(product())
    assert attempt.compiled is not None
    assert attempt.compiled.id == "hip-gfx942-matmul_bf16"
    assert attempt.instruction == "v_mfma_f32_16x16x16_bf16"
    assert not attempt.problem


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        (product(arch="gfx950"), "it is for gfx942"),
        (product(made_for="gfx950", assembly=LISTING), "it is for gfx950"),
        (product(code=b"not ELF"), "not an ELF file"),
        (product(code=b""), "not an ELF file"),
        (product(code=(DATA / "hip-gfx942-rmsnorm.hsaco").read_bytes()), "it has no kernel matmul_bf16, only rmsnorm"),
        (product(assembly="v_fma_f32 v1, v2, v3, v4"), "but no matrix instruction"),
        (product(assembly="v_mfma_f32_16x16x4_f32 v[0:3]"), "but v_mfma_f32_16x16x4_f32"),
        (product(threads=2048), "it takes 1024 threads a block, not 2048"),
    ],
)
def test_the_wrong_code_is_refused(given, problem):
    attempt = examine(given)
    assert problem in attempt.problem
    assert attempt.compiled is None


def test_without_a_disassembler_the_instruction_is_not_claimed():
    attempt = examine(product(assembly=""))
    assert attempt.compiled is not None
    assert not attempt.instruction
    assert "no llvm-objdump" in attempt.unread


def test_a_kernel_without_matrix_arithmetic_needs_no_listing():
    attempt = examine(product("rmsnorm", assembly=""))
    assert attempt.compiled is not None
    assert not attempt.unread


def test_an_x86_file_is_no_code_object():
    import sys
    from pathlib import Path

    with pytest.raises(NotACodeObject, match="EM_"):
        read_code_object(Path(sys.executable).resolve().read_bytes())


def test_every_arch_of_the_matrix_is_known():
    from importlib import resources

    import yaml

    archs = yaml.safe_load((resources.files("rocmimg.matrix") / "archs.yaml").read_text())
    assert set(archs) == set(ISAS)
    assert {name for name, arch in archs.items() if arch.get("wavefront") == 32} == {
        isa.arch for isa in ISAS.values() if isa.wavefront == 32
    }
