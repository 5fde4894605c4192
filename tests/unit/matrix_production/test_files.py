"""The programs that steps mount, on real distributions and modules."""

import base64
import csv
import hashlib
import subprocess
import sys
from importlib.metadata import PathDistribution

import pytest

from .conftest import ROOT

FILES = ROOT / "templates/files"

METADATA = """\
Metadata-Version: 2.1
Name: torch
Version: 2.9.1+rocm7.2.0
Requires-Dist: filelock
Requires-Dist: typing-extensions>=4.10.0
{triton}
Requires-Dist: networkx>=2.5.1
Requires-Dist: triton-kernels
Requires-Dist: jinja2
Requires-Dist: opt-einsum>=3.3; extra == "opt-einsum"
Provides-Extra: opt-einsum

Requires-Dist: triton==3.5.1 is only text here.
"""


def run(program, *arguments, path):
    return subprocess.run(
        [sys.executable, FILES / program, *arguments],
        env={"PYTHONPATH": str(path)},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def site(tmp_path):
    """A folder of packages with torch and another Triton than it wants."""

    def make(triton='Requires-Dist: triton==3.5.1+rocm7.2.0.gita272dfa8; platform_system == "Linux"'):
        torch = tmp_path / "torch-2.9.1+rocm7.2.0.dist-info"
        torch.mkdir()
        (torch / "METADATA").write_text(METADATA.format(triton=triton))
        (torch / "RECORD").write_text(
            "torch/__init__.py,sha256=abc,3\n"
            "torch-2.9.1+rocm7.2.0.dist-info/METADATA,sha256=old,1\n"
            "torch-2.9.1+rocm7.2.0.dist-info/RECORD,,\n"
        )
        new = tmp_path / "triton-3.7.0+amd.dist-info"
        new.mkdir()
        (new / "METADATA").write_text("Metadata-Version: 2.1\nName: triton\nVersion: 3.7.0+amd\n")
        return torch

    return make


class TestRequiresDist:
    ARGUMENTS = ("torch", "triton", "triton-rocm", "pytorch-triton-rocm")

    @pytest.mark.parametrize(
        ("before", "after"),
        [
            (
                'Requires-Dist: triton==3.5.1+rocm7.2.0.gita272dfa8; platform_system == "Linux"',
                'triton==3.7.0+amd; platform_system == "Linux"',
            ),
            ("Requires-Dist: triton-rocm==3.6.0", "triton==3.7.0+amd"),
            ("Requires-Dist: pytorch_triton_rocm (==3.3.0)", "triton==3.7.0+amd"),
        ],
    )
    def test_the_pin_moves_and_every_other_requirement_stays(self, site, tmp_path, before, after):
        torch = site(before)
        old = PathDistribution(torch).requires
        done = run("requires_dist.py", *self.ARGUMENTS, path=tmp_path)
        assert done.returncode == 0, done.stderr
        new = PathDistribution(torch).requires
        assert len(new) == len(old) == 7
        assert [line for line in new if line not in old] == [after]
        assert "Requires-Dist: triton==3.5.1 is only text here." in (torch / "METADATA").read_text()

    def test_the_record_fits_the_new_metadata(self, site, tmp_path):
        torch = site()
        run("requires_dist.py", *self.ARGUMENTS, path=tmp_path)
        rows = {row[0]: row[1:] for row in csv.reader((torch / "RECORD").read_text().splitlines())}
        content = (torch / "METADATA").read_bytes()
        digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
        assert rows["torch-2.9.1+rocm7.2.0.dist-info/METADATA"] == [f"sha256={digest}", str(len(content))]
        assert rows["torch/__init__.py"] == ["sha256=abc", "3"]

    def test_a_second_run_changes_nothing(self, site, tmp_path):
        torch = site()
        run("requires_dist.py", *self.ARGUMENTS, path=tmp_path)
        once = (torch / "METADATA").read_text()
        done = run("requires_dist.py", *self.ARGUMENTS, path=tmp_path)
        assert done.returncode == 0
        assert (torch / "METADATA").read_text() == once

    def test_a_torch_that_wants_no_triton_is_left_alone(self, site, tmp_path):
        torch = site("Requires-Dist: sympy")
        before = (torch / "METADATA").read_text()
        done = run("requires_dist.py", *self.ARGUMENTS, path=tmp_path)
        assert done.returncode == 0
        assert "requires nothing of" in done.stdout
        assert (torch / "METADATA").read_text() == before

    def test_without_the_new_distribution_it_fails(self, site, tmp_path):
        site()
        done = run("requires_dist.py", "torch", "tritn", path=tmp_path)
        assert done.returncode != 0


class TestReplaceText:
    @pytest.fixture
    def package(self, tmp_path):
        (tmp_path / "pack").mkdir()
        (tmp_path / "pack/__init__.py").write_text("raise ImportError('importing it would need a GPU')\n")
        (tmp_path / "pack/mod.py").write_text("x = Path(a).resolve()\n")
        return tmp_path

    def test_it_replaces(self, package):
        done = run("replace_text.py", "pack.mod", "Path(a).resolve()", "Path(a)", path=package)
        assert done.returncode == 0, done.stderr
        assert (package / "pack/mod.py").read_text() == "x = Path(a)\n"

    def test_it_fails_where_there_is_nothing_to_replace(self, package):
        done = run("replace_text.py", "pack.mod", "Path(b).resolve()", "Path(b)", path=package)
        assert done.returncode != 0
        assert "the version changed" in done.stderr

    def test_it_leaves_no_broken_source(self, package):
        done = run("replace_text.py", "pack.mod", "Path(a)", "(", path=package)
        assert done.returncode != 0
        assert (package / "pack/mod.py").read_text() == "x = Path(a).resolve()\n"
