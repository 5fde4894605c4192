"""Code objects that a real hipcc and a real Triton made, and a stand-in for the HIP runtime."""

import shutil
import subprocess
from pathlib import Path

import pytest

from rocmimg.checks.kernels.cases import CASES
from rocmimg.checks.kernels.code_object import read_code_object
from rocmimg.checks.kernels.pack import Compiled, write_pack

DATA = Path(__file__).parent / "data"


def compiled(name, arch="gfx942", language="hip"):
    """A kernel of the data folder, as the compilers' room hands it on."""
    code = (DATA / f"{language}-{arch}-{name}.hsaco").read_bytes()
    kernel = read_code_object(code).kernels[name]
    return Compiled(
        language=language,
        case=CASES[name],
        arch=arch,
        compiler="a compiler 1.0",
        code=code,
        kernel=kernel,
        threads=kernel.max_threads if language == "triton" else CASES[name].threads,
        shared_bytes=16 if language == "triton" else 0,
    )


@pytest.fixture
def pack(tmp_path):
    """A pack with rmsnorm, then vector_add, for gfx942."""
    folder = tmp_path / "pack"
    write_pack(folder, [compiled("rmsnorm"), compiled("vector_add")], seed=7, cell="lab-gfx942", image="sha256:1")
    return folder


@pytest.fixture(scope="session")
def fake_hip(tmp_path_factory):
    """A folder with a libamdhip64.so that runs rmsnorm and vector_add on the CPU."""
    compiler = shutil.which("cc") or pytest.skip("no C compiler for the stand-in of libamdhip64")
    folder = tmp_path_factory.mktemp("hip")
    source = Path(__file__).parent / "fake_hip.c"
    library = folder / "libamdhip64.so"
    subprocess.run([compiler, "-shared", "-fPIC", "-O1", "-w", source, "-o", library, "-lm"], check=True)
    return folder
