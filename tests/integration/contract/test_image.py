"""Check ``contract``: a built image and its pins must say the same, on a real engine."""

from __future__ import annotations

import json

import pytest

pytestmark = pytest.mark.engine

MATRIX = """
    targets:
      app:
        gpu_archs: [gfx942]
        image: rocmimg-test/contract
        base: rocmimg/lab-base:dev
        env: {PYTHONPATH: /opt/pins}
        components:
          aiter: {source: "local:sources"}
          sglang: {source: "local:framework"}
"""
USE = "import aiter\naiter.there\ntry:\n    from aiter import gone\nexcept ImportError:\n    gone = None\n"


@pytest.fixture
def app(project, lab):
    """An image whose AITER is the one that its component names."""
    made = project(MATRIX)
    text = "RUN mkdir -p /opt/pins/aiter && echo 'there = 1' > /opt/pins/aiter/__init__.py\n"
    made.recipe("aiter", text, sources=["local"], module="aiter", install=["editable"])
    made.recipe("sglang", "RUN true\n", sources=["local"], module="sglang", install=["editable"], framework=True)
    for path, content in (("sources/aiter", "there = 1\n"), ("framework/sglang", USE)):
        (made.folder / path).mkdir(parents=True)
        (made.folder / path / "__init__.py").write_text(content)
    return made


def result(app):
    (image,) = json.loads(app.run("test", "--tier", "import", "--json").stdout)
    return next(check for check in image["checks"] if check["id"] == "contract")


def test_an_image_like_its_pins_and_one_that_is_not(app):
    assert app.run("build").returncode == 0
    assert result(app)["status"] == "passed"
    (app.folder / "sources/aiter/__init__.py").write_text("there = gone = 1\n")
    other = result(app)
    assert other["status"] == "failed"
    assert other["details"]["differences"] == ["aiter.gone: there in the source at the pin, missing in the image"]
