"""The programs that steps mount, on real distributions and modules."""

import base64
import csv
import hashlib
import re
import subprocess
import sys
from importlib.metadata import PathDistribution
from pathlib import Path

import pytest

from .conftest import ROOT

FILES = ROOT / "templates/files"
KERNELS = ROOT / "tests/unit/kernels/data"

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


def run(program, *arguments, path, cwd=None, **env):
    return subprocess.run(
        [sys.executable, "-S", FILES / program, *arguments],
        env={"PYTHONPATH": str(path), "PATH": "/usr/bin:/bin", **env},
        cwd=cwd,
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

    def test_a_torch_of_a_debian_package_has_no_record(self, site, tmp_path):
        torch = site()
        (torch / "RECORD").unlink()
        debian = torch.rename(tmp_path / "torch-2.9.1.egg-info")
        (debian / "METADATA").rename(debian / "PKG-INFO")
        done = run("requires_dist.py", *self.ARGUMENTS, path=tmp_path)
        assert done.returncode == 0, done.stderr
        assert "Requires-Dist: triton==3.7.0+amd;" in (debian / "PKG-INFO").read_text()

    def test_without_torch_there_is_nothing_to_do(self, site, tmp_path):
        site().rename(tmp_path / "gone")
        done = run("requires_dist.py", *self.ARGUMENTS, path=tmp_path)
        assert done.returncode == 0, done.stderr
        assert "torch is not installed" in done.stdout


def distribution(site, name, version="1.0", files=()):
    info = site / f"{name}-{version}.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
    (info / "RECORD").write_text("".join(f"{file},,\n" for file in files))
    return info


class TestConstraints:
    @pytest.fixture
    def constraints(self, tmp_path):
        def call(*arguments):
            return run("constraints.py", *arguments, path=tmp_path, PIP_CONSTRAINT=str(tmp_path / "held/c.txt"))

        return call

    @pytest.mark.parametrize("installed", ["flash_attn", "flash-attn", "Flash.Attn"])
    def test_names_are_compared_as_pep_503_says(self, tmp_path, constraints, installed):
        distribution(tmp_path, installed, "2.8.3")
        done = constraints("hold", "flash-attn", "torchaudio")
        assert done.returncode == 0, done.stderr
        assert (tmp_path / "held/c.txt").read_text() == "flash-attn==2.8.3\n"
        assert "not installed, so not held: torchaudio" in done.stdout
        assert constraints("check").returncode == 0

    def test_a_later_hold_adds_and_renews(self, tmp_path, constraints):
        distribution(tmp_path, "torch", "2.9.1+rocm7")
        old = distribution(tmp_path, "triton", "3.5")
        constraints("hold", "torch", "triton")
        old.rename(tmp_path / "triton-3.7.dist-info")
        (tmp_path / "triton-3.7.dist-info/METADATA").write_text("Metadata-Version: 2.1\nName: triton\nVersion: 3.7\n")
        assert "triton==3.5 was held, and it is 3.7 now" in constraints("check").stderr
        constraints("hold", "triton")
        assert (tmp_path / "held/c.txt").read_text() == "torch==2.9.1+rocm7\ntriton==3.7\n"
        assert constraints("check").returncode == 0

    @pytest.mark.parametrize(
        ("names", "says"),
        [
            (["nvidia-cublas-cu12"], "nvidia-cublas-cu12 is of CUDA"),
            (["cuda_bindings"], "cuda-bindings is of CUDA"),
            (["triton", "pytorch-triton-rocm"], "more than one distribution owns the package triton"),
            (["nvidia-ml-py", "nixl-cu12", "triton"], ""),
        ],
    )
    def test_what_must_not_come_with_a_dependency(self, tmp_path, constraints, names, says):
        for name in names:
            distribution(tmp_path, name)
        done = constraints("check")
        assert (done.returncode == 0) == (not says)
        assert says in done.stderr

    def test_what_was_held_is_gone(self, tmp_path, constraints):
        distribution(tmp_path, "torch").joinpath("x").touch()
        constraints("hold", "torch")
        (tmp_path / "torch-1.0.dist-info").rename(tmp_path / "away")
        assert "torch==1.0 was held, and it is gone" in constraints("check").stderr


class TestFindModules:
    @pytest.fixture
    def workspace(self, tmp_path):
        """A work directory with the checkout aiter/aiter, and a site folder."""
        (tmp_path / "work/aiter/aiter").mkdir(parents=True)
        (tmp_path / "work/aiter/aiter/__init__.py").touch()
        (tmp_path / "site").mkdir()
        return tmp_path

    def found(self, workspace, *arguments, name="aiter"):
        """With the site folder as a real one, which PYTHONPATH would not be."""
        code = (
            f"import sys, runpy; sys.path.insert(1, {str(workspace / 'site')!r}); "
            f"sys.argv = ['find_modules.py', *{list(arguments)!r}, {name!r}]; "
            f"runpy.run_path({str(FILES / 'find_modules.py')!r}, run_name='__main__')"
        )
        return subprocess.run(
            [sys.executable, "-c", code], cwd=workspace / "work", capture_output=True, text=True, check=False, env={}
        )

    def test_a_folder_of_that_name_is_no_install(self, workspace):
        done = self.found(workspace)
        assert done.returncode != 0
        assert "work aiter is a folder of that name, not the package" in done.stderr
        assert "editable_mode=compat" in done.stderr

    def test_it_must_be_found_from_everywhere(self, workspace):
        (workspace / "work/alone").mkdir()
        (workspace / "work/alone/__init__.py").touch()
        done = self.found(workspace, name="alone")
        assert done.returncode != 0
        assert done.stderr == "alone is not found from /\n"

    def test_an_installed_package_is_printed_with_the_libraries_beside_it(self, workspace):
        site = workspace / "site"
        for folder in ("aiter", "amd_aiter.libs"):
            (site / folder).mkdir()
            (site / folder / "__init__.py").touch()
        distribution(site, "amd_aiter", files=["aiter/__init__.py", "amd_aiter.libs/__init__.py", "../bin/aiter"])
        done = self.found(workspace, "--print")
        assert done.returncode == 0, done.stderr
        printed = set(done.stdout.split())
        assert {str(site / "aiter"), str(site / "amd_aiter.libs")} <= printed


class TestCheckLinked:
    @pytest.fixture
    def program(self, tmp_path):
        """A real program, and one that needs a library that nothing has."""
        data = Path("/bin/ls").read_bytes()
        needed = re.search(rb"lib(selinux|cap|c)\.so\.[0-9]+", data)[0]
        (tmp_path / "bin/deep").mkdir(parents=True)
        (tmp_path / "bin/good").write_bytes(data)
        gone = needed.replace(b"lib", b"gon", 1)

        def broken(name):
            path = tmp_path / "bin/deep" / name
            path.write_bytes(data.replace(needed + b"\0", gone + b"\0"))
            return gone.decode()

        return broken

    @pytest.mark.usefixtures("program")
    def test_what_is_whole_passes(self, tmp_path):
        (tmp_path / "bin/text.so").write_text("a linker script\n")
        (tmp_path / "bin/kernel.so").write_bytes(next(KERNELS.glob("*.hsaco")).read_bytes())
        done = run("check_linked.py", str(tmp_path / "bin"), path=tmp_path)
        assert done.returncode == 0, done.stderr
        assert done.stdout == "1 programs and shared objects find their libraries\n"

    @pytest.mark.parametrize("name", ["plugin.so", "libx.so.1.2", "program"])
    def test_a_missing_library_is_named_with_who_needs_it(self, tmp_path, program, name):
        gone = program(name)
        done = run("check_linked.py", str(tmp_path / "bin"), path=tmp_path)
        assert done.returncode == 1
        assert f"{gone} => not found; needed by {tmp_path}/bin/deep/{name}" in done.stderr

    def test_a_copied_tree_is_looked_for_where_it_was_copied_to(self, tmp_path, program):
        gone = program("plugin.so")
        tree = tmp_path / "tree" / str(tmp_path / "bin").lstrip("/")
        (tree / "deep").mkdir(parents=True)
        (tree / "deep/plugin.so").touch()
        done = run("check_linked.py", f"--installed-from={tmp_path}/tree", path=tmp_path)
        assert done.returncode == 1
        assert gone in done.stderr

    def test_a_path_that_is_not_there(self, tmp_path):
        assert "there is no /gone" in run("check_linked.py", "/gone", path=tmp_path).stderr


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
