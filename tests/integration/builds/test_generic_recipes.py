"""The recipes `python` and `cmake`, really built on the lab's base: what they install is there, and checks find it.

Opt-in, as they compile for minutes: ROCMIMG_TEST_RECIPES=offline for local sources without any network, =1 for what
comes from a package index and Debian's archive too (ROCMIMG_SET behind a proxy).
"""

import json
import os

import pytest

WANTED = os.environ.get("ROCMIMG_TEST_RECIPES", "")
KERNEL = """\
#include <hip/hip_runtime.h>
extern "C" __global__ void scale(float* x, float by) { x[threadIdx.x] *= by; }
"""
SETUP = """\
import os, subprocess
from setuptools import setup
from setuptools.command.build_py import build_py
class Build(build_py):
    def run(self):
        super().run()
        assert os.environ["FAST"] == "1"
        archs = [f"--offload-arch={one}" for one in os.environ["PYTORCH_ROCM_ARCH"].split(";")]
        target = os.path.join(self.build_lib, "compiled", "scale.so")
        subprocess.run(["hipcc", *archs, "-shared", "-fPIC", "-O1", "-o", target, "scale.hip"], check=True)
setup(name="compiled", version="1.0", packages=["compiled"], cmdclass={"build_py": Build})
"""
PYPROJECT = """\
[build-system]
requires = ["setuptools"]
build-backend = "setuptools.build_meta"
[project]
name = "edited"
version = "1.0"
[project.optional-dependencies]
more = ["iniconfig>=2"]
[tool.setuptools]
packages = ["edited"]
"""
CMAKE = """\
cmake_minimum_required(VERSION 3.25)
project(native LANGUAGES CXX HIP)
add_library(native SHARED native.hip)
install(TARGETS native LIBRARY DESTINATION lib)
"""
FILES = {
    "edited/python/pyproject.toml": PYPROJECT,
    "edited/python/edited/__init__.py": "PLACE = __file__\n",
    "compiled/setup.py": SETUP,
    "compiled/compiled/__init__.py": "",
    "compiled/scale.hip": KERNEL,
    "native/CMakeLists.txt": CMAKE,
    "native/native.hip": KERNEL,
}
OFFLINE = """
    targets:
      app:
        gpu_archs: [{both: [gfx942, gfx950]}]
        base: rocmimg/lab-base:dev
        image: rocmimg-test/recipes
        network: {engine_mode: none}
        env: {MODE: fast}
        components:
          edited:
            uses: python
            source: local:edited
            options: {subdirectory: python, isolation: false, dependencies: false}
          compiled:
            uses: python
            source: local:compiled
            install: wheel
            build_env: {FAST: 1}
            options: {isolation: false, dependencies: false, kernels: true}
"""
ONLINE = """
    targets:
      app:
        gpu_archs: [gfx942]
        base: rocmimg/lab-base:dev
        image: rocmimg-test/recipes
        components:
          edited:
            uses: python
            source: local:edited
            options: {subdirectory: python, extras: [more]}
          packaging-of-index:
            uses: python
            source: index
            module: einops
            options: {distribution: einops, version: ">=0.8"}
          native:
            uses: cmake
            source: local:native
            apt: {runtime: [libnuma1]}
            options: {kernels: true}
"""


@pytest.fixture
def made(project, lab):
    def build(text):
        found = project(text)
        for name, content in FILES.items():
            path = found.folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content)
        done = found.run("build", "app")
        assert done.returncode == 0, done.stdout + done.stderr
        return found

    return build


def results(project, cell):
    done = project.run("test", cell, "--tier", "image", "--tier", "import")
    found = json.loads((project.folder / f"build/results/{cell}.json").read_text())["checks"]
    assert [one["id"] for one in found if one["status"] == "failed"] == [], done.stdout
    return {one["id"]: one["status"] for one in found}


@pytest.mark.skipif(not WANTED, reason="not run: ROCMIMG_TEST_RECIPES; it compiles")
def test_an_editable_checkout_and_a_wheel_that_compiles_for_two_gpus(made):
    app = made(OFFLINE)
    found = results(app, "app-both")
    assert {found[one] for one in ("origin", "import", "arch-code", "labels")} == {"passed"}
    assert [row["status"] for row in app.json("build", "app")] == ["up-to-date"]
    (app.folder / "edited/python/edited/__init__.py").write_text("PLACE = 1\n")
    (row,) = app.json("plan", "app")
    assert row["reasons"] == ["source of edited changed"]


@pytest.mark.skipif(WANTED != "1", reason="not run: ROCMIMG_TEST_RECIPES=1; it installs from an index and an archive")
def test_extras_an_index_and_a_cmake_project_with_kernels(made):
    found = results(made(ONLINE), "app-gfx942")
    assert {found[one] for one in ("origin", "import", "arch-code", "labels")} == {"passed"}
