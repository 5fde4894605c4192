"""What the pins alone tell besides names: each check with a case that fires and one that stays silent."""

from __future__ import annotations

import json

import pytest

from rocmimg.cli import run
from rocmimg.contract.pins import (
    check_checkout,
    check_cmake,
    check_prebuild,
    check_python,
    check_triton_swap,
    prebuild,
)
from rocmimg.contract.stores import FolderStore, repository

from .conftest import git, releases, write

IN_SETUP = """\
    import os
    if int(os.environ.get("PREBUILD_KERNELS", 0)):
        def build_one(args):
            core.build_module(md_name=args)
        list(map(build_one, everything))
"""
IN_BUILD_EXT = """\
    class Build(build_ext):
        def run(self):
            core.build_module(md_name="x")
"""
SWAP = """\
    import os, subprocess
    KEEP = int(os.environ.get("AITER_USE_SYSTEM_TRITON", "0"))
    if not KEEP:
        subprocess.check_call(["bash", os.path.join(here, ".github", "scripts", "install_triton.sh")])
"""


@pytest.fixture
def project(tmp_path):
    def make(**files: str) -> FolderStore:
        named = {
            name.replace("_py", ".py").replace("_toml", ".toml").replace("_txt", ".txt"): t for name, t in files.items()
        }
        return FolderStore(write(tmp_path / "project", named), "project")

    return make


@pytest.mark.parametrize(
    ("setup", "where"),
    [(IN_SETUP, "setup.py"), (IN_BUILD_EXT, "build_ext"), ("setup()", "nowhere"), ("def (", "nowhere")],
)
def test_where_kernels_are_prebuilt(project, setup, where):
    assert prebuild(project(setup_py=setup))[0] == where


@pytest.mark.parametrize(
    ("setup", "way", "level"),
    [
        (IN_BUILD_EXT, "develop", "error"),
        (IN_BUILD_EXT, "build_ext", None),
        (IN_BUILD_EXT, "wheel", None),
        (IN_SETUP, "develop", None),
        ("setup()", "build_ext", "warning"),
    ],
)
def test_prebuild(project, setup, way, level):
    found = check_prebuild(project(setup_py=setup), way=way)
    assert (found.level if found else None) == level


@pytest.mark.parametrize(
    ("setup", "environment", "fires"),
    [
        (SWAP, {}, True),
        (SWAP, {"AITER_USE_SYSTEM_TRITON": "0"}, True),
        (SWAP, {"AITER_USE_SYSTEM_TRITON": "1"}, False),
        (SWAP.replace("int(os.environ.get(", "str(("), {"AITER_USE_SYSTEM_TRITON": "1"}, True),
        ("setup()", {}, False),
    ],
)
def test_triton_swap(project, setup, environment, fires):
    assert (check_triton_swap(project(setup_py=setup), environment) is not None) is fires


BASE = "rocm/pytorch:rocm7.2_ubuntu22.04_py3.10_pytorch_release_2.9.1"


@pytest.mark.parametrize(
    ("files", "base", "fires"),
    [
        ({"pyproject_toml": '[project]\nrequires-python = ">=3.11"\n'}, BASE, True),
        ({"pyproject_toml": '[project]\nrequires-python = ">=3.10"\n'}, BASE, False),
        ({"pyproject_toml": '[project]\nrequires-python = ">=3.10.2"\n'}, BASE, False),
        ({"setup_py": "setup(python_requires='<3.10')"}, BASE, True),
        ({"setup_py": "setup(python_requires='<3.10')"}, "ubuntu:24.04", False),
        ({"pyproject_toml": "[project\n"}, BASE, False),
        ({}, BASE, False),
    ],
)
def test_python_of_the_base(project, files, base, fires):
    assert (check_python(project(**files), base) is not None) is fires


@pytest.mark.parametrize(
    ("pinned", "fires"), [("3.10.1", True), ("==3.10.1", True), ("3.31.10", False), ("", False), (">=3.5", False)]
)
def test_cmake(project, pinned, fires):
    store = project(CMakeLists_txt="# top\ncmake_minimum_required(VERSION 3.20 FATAL_ERROR)\n")
    found = check_cmake(store, pinned)
    assert (found is not None) is fires
    assert found is None or (found.file, found.line) == ("CMakeLists.txt", 2)


def test_a_pin_that_checks_out(tmp_path):
    folder = releases(tmp_path / "git", {"v1": {"a.py": "1\n"}, "v2": {"a.py": "2\n"}})
    repository.cache_clear()
    store = repository(str(folder))
    assert check_checkout(store, store.resolve("v1")) == []


def test_an_old_pin_that_a_new_attribute_breaks(tmp_path):
    """aiter: since a rule for line endings on the default branch, older pins need ``checkout --force``."""
    folder = releases(tmp_path / "git", {"v1": {"a.py": ""}})
    (folder / "table.csv").write_bytes(b"old\r\n")
    git(folder, "add", "-A")
    git(folder, "commit", "-qm", "table")
    git(folder, "tag", "v2")
    (folder / "table.csv").write_bytes(b"new\r\n")
    git(folder, "add", "-A")
    (folder / ".gitattributes").write_text("*.csv text eol=lf\n")
    git(folder, "-c", "core.safecrlf=false", "add", ".gitattributes")
    git(folder, "commit", "-qm", "attributes")
    repository.cache_clear()
    store = repository(str(folder))
    (found,) = check_checkout(store, store.resolve("v2"))
    assert (found.check, found.level) == ("checkout", "error")
    assert "`checkout --force` works" in found.message


def test_a_submodule_that_does_not_answer(tmp_path):
    folder = releases(tmp_path / "git", {"v1": {"a.py": ""}})
    (folder / ".gitmodules").write_text(f'[submodule "x"]\n\tpath = x\n\turl = file://{tmp_path}/gone\n')
    git(folder, "add", "-A")
    git(folder, "commit", "-qm", "submodule")
    repository.cache_clear()
    store = repository(str(folder))
    (found,) = check_checkout(store, store.resolve("main"))
    assert (found.level, "does not answer" in found.message) == ("error", True)


YAML = """\
targets:
  sgl:
    gpu_archs: [gfx942]
    base: rocm/pytorch:rocm7.2_ubuntu22.04_py3.10_pytorch_release_2.9.1
    flags: {{BUILD_AITER_ALL: true}}
    components:
      aiter: {{repo: "{tmp}/aiter", ref: v1, capabilities: [aiter.x]}}
      vllm: {{source: "local:fw", install: wheel}}
      rust: {{}}
      triton-kernels: {{source: "local:fw"}}
"""


def test_check_brings_all_of_it_together(tmp_path, monkeypatch, capsys):
    repository.cache_clear()
    monkeypatch.chdir(tmp_path)
    releases(tmp_path / "aiter", {"v1": {"aiter/__init__.py": "", "setup.py": "setup(python_requires='>=3.12')"}})
    write(tmp_path, {"fw/vllm/__init__.py": "from aiter import gone\n", "images.yaml": YAML.format(tmp=tmp_path)})
    assert run(["check", "--json"]) == 1
    shown = json.loads(capsys.readouterr().out)
    assert [f["target"] for f in shown["contract"][0]["findings"]] == ["aiter.gone"]
    assert shown["capabilities"] == [f"sgl-gfx942: requires aiter.x, which {tmp_path}/aiter@v1 does not have"]
    assert {(p["check"], p["level"]) for p in shown["pins"]} == {("minimum", "error"), ("prebuild", "warning")}
    assert shown["not_run"] == []
    assert run(["check"]) == 1
    said = capsys.readouterr().out
    assert f"images.yaml:7: error: {tmp_path}/aiter@v1 does not have aiter.x [capability]" in said
    assert "Dockerfile" not in said.partition("[capability]")[0].rpartition("\n")[2]


def test_check_of_one_part_and_its_forms(tmp_path, monkeypatch, capsys):
    repository.cache_clear()
    monkeypatch.chdir(tmp_path)
    releases(tmp_path / "aiter", {"v1": {"aiter/__init__.py": "", "setup.py": "setup(python_requires='>=3.12')"}})
    write(tmp_path, {"fw/vllm/__init__.py": "from aiter import gone\n", "images.yaml": YAML.format(tmp=tmp_path)})
    assert run(["check", "--only", "lint"]) == 0
    assert "capability" not in capsys.readouterr().out
    assert run(["check", "--only", "contract", "--format", "github"]) == 1
    said = capsys.readouterr().out
    assert "::error file=images.yaml,line=7,title=capability::" in said
    assert all(line.endswith(" (sgl-gfx942)") for line in said.splitlines() if line.startswith("::error"))
    assert ".. " not in said
    assert run(["check", "--format", "sarif"]) == 1
    (log,) = json.loads(capsys.readouterr().out)["runs"]
    places = [one["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] for one in log["results"]]
    assert set(places) == {"images.yaml"}
    assert run(["check", "--only", "pins", "--format", "markdown"]) == 1
    assert "| images.yaml:7 | error | minimum |" in capsys.readouterr().out


def test_a_part_that_could_not_be_run_is_not_a_pass(tmp_path, monkeypatch, capsys):
    repository.cache_clear()
    monkeypatch.chdir(tmp_path)
    text = YAML.replace("{tmp}/aiter", "file:///nowhere/aiter").format(tmp=tmp_path)
    write(tmp_path, {"fw/vllm/__init__.py": "import aiter\n", "images.yaml": text})
    assert run(["check", "--only", "contract"]) == 10
    assert "not run: " in capsys.readouterr().err
    assert run(["check", "--only", "lint"]) == 0


def test_what_cells_share_is_said_once(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    text = "targets:\n  t:\n    gpu_archs: [gfx942, gfx950]\n    base: x:latest\n"
    write(tmp_path, {"images.yaml": text})
    run(["check", "--only", "lint", "-v"])
    said = capsys.readouterr().out
    assert "images.yaml:4: " in said
    assert said.count("= t-gfx942, t-gfx950") == said.count("images.yaml:")
