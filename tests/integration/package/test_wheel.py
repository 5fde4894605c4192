"""The wheel, installed where there is no checkout."""

import subprocess

import pytest

MATRIX = """
targets:
  mine:
    gpu_archs: [gfx942]
    base: rocm/pytorch:latest
    flags: {BUILD_AITER_ALL: true}
    components:
      aiter: {repo: https://github.com/ROCm/aiter.git, ref: v0.1.11.post1}
"""


@pytest.fixture
def run(environment, tmp_path):
    (tmp_path / "images.yaml").write_text(MATRIX)

    def call(*args):
        done = subprocess.run(
            [environment / "bin/rocmimg", *args], cwd=tmp_path, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    return call


def test_templates_are_in_it(run):
    text = run("render")
    assert "GPU_ARCHS=gfx942" in text
    assert "PREBUILD_KERNELS=1" in text


def test_the_check_suite_is_in_it(run):
    assert "import" in run("test", "--list", "--json")


def test_the_schema_is_in_it(run):
    assert "BUILD_AITER_ALL" in run("export", "schema")
