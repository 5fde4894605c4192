"""A build holds the framework against its AITER before hours are spent."""

import pytest

MATRIX = """
    targets:
      t:
        gpu_archs: [gfx942]
        base: rocmimg/lab-base:dev
        image: rocmimg-test/contract
        components:
          fw: {source: "local:fw"}
          aiter: {source: "local:aiter"}
"""
PACKAGES = "$(python3 -c 'import site; print(site.getsitepackages()[0])')"


@pytest.fixture
def sample(project, lab):
    made = project(MATRIX)
    for name in ("fw", "aiter"):
        text = f"RUN mkdir -p {PACKAGES}/{name} && touch {PACKAGES}/{name}/__init__.py\n"
        made.recipe(name, text, sources=["local"], install=["editable"], module=name, framework=name == "fw")
        (made.folder / name / name).mkdir(parents=True)
        (made.folder / name / name / "__init__.py").write_text("")
    (made.folder / "aiter/aiter/ops.py").write_text("def norm(x):\n    return x\n")
    return made


def test_a_name_that_the_pin_lacks_stops_the_build_in_time(sample):
    (sample.folder / "fw/fw/layer.py").write_text("from aiter.ops import fused_norm\n")
    done = sample.run("build")
    assert done.returncode == 11
    assert "layer.py:1" in done.stderr
    assert "fused_norm" in done.stderr
    assert "--no-contract" in done.stderr
    assert not (sample.folder / "build").exists()


def test_and_can_be_switched_off(sample):
    (sample.folder / "fw/fw/layer.py").write_text("from aiter.ops import fused_norm\n")
    assert sample.run("build", "--no-contract").returncode == 0


def test_a_pin_that_fits_is_built(sample):
    (sample.folder / "fw/fw/layer.py").write_text("from aiter.ops import norm\n")
    done = sample.run("build")
    assert done.returncode == 0, done.stderr
