"""The lab image and images with a fault, as the checks' own tests make them; a stand-in for the HIP runtime."""

import subprocess
from pathlib import Path

import pytest
from checks.conftest import faulty, judge, lab_subject, lab_tag  # noqa: F401 - fixtures

FAKE = Path(__file__).parents[2] / "unit" / "kernels" / "fake_hip.c"


@pytest.fixture(scope="session")
def fake_hip(tmp_path_factory) -> bytes:
    """A libamdhip64.so that runs rmsnorm and vector_add on the CPU."""
    library = tmp_path_factory.mktemp("hip") / "libamdhip64.so"
    subprocess.run(["cc", "-shared", "-fPIC", "-O1", "-w", FAKE, "-o", library, "-lm"], check=True)
    return library.read_bytes()
