"""`rocmimg init`: what it makes of folders, and that it overwrites nothing."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from rocmimg.cli import run
from rocmimg.matrix import load
from rocmimg.plan import make_plan

DOCKERFILE = """\
ARG BASE=rocm/pytorch:latest
FROM $BASE
ARG PYTORCH_ROCM_ARCH
ARG GPU_ARCH
# for gfx950 and gfx942
COPY . /app
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def only(folder):
    return load(folder / "images.yaml").cells


def test_a_dockerfile_for_rocm_is_found_among_others(folder):
    (folder / "docker").mkdir()
    (folder / "Dockerfile").write_text("FROM node:22\n")
    (folder / "docker/rocm.Dockerfile").write_text(DOCKERFILE)
    (folder / "pyproject.toml").write_text('[project]\nname = "Acme_Serve"\n')
    assert run(["init"]) == 0
    text = (folder / "images.yaml").read_text()
    assert text.startswith("# yaml-language-server: $schema=.rocmimg/images.schema.json\n")
    assert (folder / ".rocmimg/images.schema.json").exists()
    cells = only(folder)
    assert [cell.id for cell in cells] == ["acme-serve-gfx950", "acme-serve-gfx942"]
    assert cells[0].config.dockerfile.path == "docker/rocm.Dockerfile"
    assert cells[0].build_args == {"PYTORCH_ROCM_ARCH": "gfx950", "GPU_ARCH": "gfx950"}
    (image, _) = make_plan(load(folder / "images.yaml"), [cell.id for cell in cells]).images
    assert [file.path for file in image.context] == [
        ".dockerignore",
        "Dockerfile",
        "docker/rocm.Dockerfile",
        "pyproject.toml",
    ]
    assert run(["check", "--only", "lint"]) in (0, 1)
    assert run(["test", "--list"]) == 0


def test_flags_win_and_a_python_project_becomes_a_component(folder):
    (folder / "pyproject.toml").write_text('[project]\nname = "acme"\n')
    words = ["--base", "rocm/pytorch:1", "--arch", "gfx90a", "--name", "train", "--registry", "reg.example.org/x"]
    assert run(["init", *words]) == 0
    (cell,) = only(folder)
    assert (cell.id, cell.tags) == ("train-gfx90a", ("reg.example.org/x/train:dev-mi20x",))
    assert [(part.name, part.recipe.name, part.local) for part in cell.components] == [("acme", "python", ".")]
    assert run(["check", "--only", "contract", "--only", "pins"]) == 0


def test_a_prebuilt_image_needs_no_ignore_file(folder):
    assert run(["init", "--prebuilt", "reg.example.org/x/y:1", "--name", "y"]) == 0
    (cell,) = only(folder)
    assert cell.prebuilt == "reg.example.org/x/y:1"
    assert not (folder / ".dockerignore").exists()


@pytest.mark.parametrize("taken", ["images.yaml", "checks/check_app.py", ".github/workflows/images.yml"])
def test_nothing_is_overwritten_and_nothing_is_left(folder, taken, capsys):
    (folder / "Dockerfile").write_text("FROM scratch\n")
    path = folder / taken
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("mine")
    before = sorted(folder.rglob("*"))
    assert run(["init", "--name", "app", "--ci", "github", "--rocmimg", "tools/rocmimg.whl"]) == 3
    assert "exists; init overwrites nothing; remove it, or edit it" in capsys.readouterr().err
    assert path.read_text() == "mine"
    assert [one for one in sorted(folder.rglob("*")) if one.is_file()] == [one for one in before if one.is_file()]


def test_a_pipeline_is_written_on_request(folder):
    (folder / "Dockerfile").write_text("FROM scratch\n")
    words = ["--name", "app", "--registry", "reg.example.org/x", "--ci", "gitlab", "--rocmimg", "tools/rocmimg.whl"]
    assert run(["init", *words]) == 0
    assert "rocmimg build --locked app-gfx942" in (folder / ".gitlab-ci.yml").read_text()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "there is no Dockerfile in .; name what images start from"),
        (["--base", "a", "--prebuilt", "b"], "exclude each other"),
        (["--base", "a", "--ci", "github"], "belong together"),
        (["--base", "a", "--arch", "gfx1"], "unknown arch 'gfx1'"),
        (["--base", "a b"], "is not an image reference"),
        (["--dockerfile", "no.Dockerfile"], "no.Dockerfile cannot be read"),
    ],
)
def test_what_cannot_be_is_said_and_leaves_nothing(folder, words, said, capsys):
    assert run(["init", *words]) != 0
    assert said in capsys.readouterr().err
    assert [one for one in folder.rglob("*") if one.is_file()] == []


@pytest.mark.skipif(shutil.which("script") is None, reason="script(1) is not installed")
def test_it_asks_on_a_terminal(folder):
    (folder / "Dockerfile").write_text(DOCKERFILE)
    command = f"{sys.executable} -m rocmimg init"
    done = subprocess.run(
        ["script", "-qec", command, "/dev/null"], input="mine\n\ngfx942\nlocalhost:5000\n", text=True,
        capture_output=True, timeout=60, cwd=folder, check=False,
    )  # fmt: skip
    assert "GPU architectures [gfx950 gfx942]" in done.stdout
    (cell,) = only(folder)
    assert (cell.id, cell.tags) == ("mine-gfx942", ("localhost:5000/mine:dev-mi30x",))
    assert Path(folder, "checks/check_mine.py").exists()
