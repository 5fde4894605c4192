"""The bug that SGLang v0.5.10 was released with: AITER installed editable as pip does it by default (sglang#22279)."""

import json
import shutil
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
TAG = "rocmimg/lab:rocmimg-checks-lab-mi30x"
DEFAULT_INSTALL = """\
{% extends "builtin/components/aiter.j2" %}
{% block install %}
COPY --from={{ c.name|word }} {{ checkout|word }} {{ checkout|word }}
RUN cd {{ checkout|sh }} && {{ python|sh }} -m pip install --no-build-isolation --editable .
{% endblock %}
"""


UNASSERTED = '{% extends "builtin/final.j2" %}{% block assertions %}{% endblock %}'


@pytest.fixture
def seeded(lab, project, host_engine, tmp_path):
    """The lab's matrix in a folder of its own, whose templates/ may override."""
    shutil.copytree(ROOT / "examples/lab", tmp_path, dirs_exist_ok=True)
    yield project((ROOT / "examples/lab/images.yaml").read_text())
    host_engine.remove(TAG, force=True)


def _build_and_test(project):
    chosen = ("lab-gfx942", "--set", "version=rocmimg-checks")
    built = project.run("build", *chosen)
    assert built.returncode == 0, built.stdout + built.stderr
    done = project.run("test", *chosen, "--tier", "import", "--json")
    return done.returncode, json.loads(done.stdout)[0]


def test_a_default_editable_install_is_found_with_cause_and_cure(seeded):
    components = seeded.folder / "templates" / "components"
    components.mkdir(parents=True)
    (components / "aiter.j2").write_text(DEFAULT_INSTALL)
    stopped = seeded.run("build", "lab-gfx942", "--set", "version=rocmimg-checks")
    assert stopped.returncode == 7
    assert "from /sgl-workspace labkernels is a folder of that name" in stopped.stdout
    (components.parent / "final.j2").write_text(UNASSERTED)
    code, result = _build_and_test(seeded)
    failed = {check["id"]: check for check in result["checks"] if check["status"] == "failed"}
    assert code == 9
    assert result["status"] == "failed"
    assert "from /sgl-workspace, `import labkernels` finds no package but the folder" in failed["origin"]["reason"]
    assert "editable install" in failed["origin"]["cause"]
    assert "editable_mode=compat" in failed["origin"]["fix"]


def test_the_macro_installs_it_so_that_it_is_found(seeded):
    code, result = _build_and_test(seeded)
    assert code == 0
    assert {check["id"]: check["status"] for check in result["checks"]}["origin"] == "passed"
