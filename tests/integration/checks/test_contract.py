"""What the sources at the pins say of a framework's names, and what the image says: they agree, or it is a finding."""

import pytest

MATRIX = """
    targets:
      t:
        gpu_archs: [gfx942]
        base: {image: "rocmimg/lab-base:dev"}
        image: rocmimg-test/agree
        workdir: /w
        components:
          fw: {source: "local:fw"}
          aiter: {source: "local:aiter"}
"""
SITE = "/usr/lib/python3/dist-packages/aiter"


@pytest.fixture
def contract(lab, project):
    """Build with ``text`` as ops.py in the image, the pinned one having `norm`; the verdict of the check."""

    def judged(text):
        made = project(MATRIX)
        own = SITE.replace("aiter", "fw")
        made.recipe(
            "fw",
            f"RUN mkdir {own} && touch {own}/__init__.py\n",
            sources=["local"],
            install=["editable"],
            module="fw",
            framework=True,
        )
        made.recipe(
            "aiter",
            f"RUN mkdir {SITE} && touch {SITE}/__init__.py && echo '{text}' > {SITE}/ops.py\n",
            sources=["local"],
            install=["editable"],
            module="aiter",
        )
        for name, module, source in (
            ("fw", "layer", "def run():\n    from aiter.ops import norm\n"),
            ("aiter", "ops", "def norm(x): return x\n"),
        ):
            (made.folder / name / name).mkdir(parents=True)
            (made.folder / name / name / "__init__.py").write_text("")
            (made.folder / name / name / f"{module}.py").write_text(source)
        assert made.run("build").returncode == 0
        (image,) = made.json("test", "--tier", "import")
        (found,) = [check for check in image["checks"] if check["id"] == "contract"]
        return found["status"], found["reason"]

    return judged


def test_they_agree(contract):
    assert contract("def norm(x): return x") == ("passed", "")


def test_the_image_holds_another_release(contract):
    status, reason = contract("def other(x): return x")
    assert status == "failed"
    assert "aiter.ops.norm: there in the source at the pin, missing in the image" in reason


def test_a_package_that_cannot_be_imported_proves_nothing(contract):
    status, reason = contract("raise RuntimeError(1)")
    assert status == "not-run"
    assert "RuntimeError" in reason
