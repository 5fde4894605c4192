"""What a change rebuilds."""

from __future__ import annotations

import json
import re
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from rocmimg.cli import run
from rocmimg.errors import ConfigError
from rocmimg.matrix import Matrix, load
from rocmimg.plan import Plan, make_plan
from rocmimg.plan.changed import after_change_of, between

IMAGES = Path(__file__).parents[3] / "images.yaml"
MATRIX = """
targets:
  below:
    gpu_archs: [gfx942]
    image: below
    base: debian:testing
    flags: {BUILD_AITER_ALL: true, BUILD_LLVM: true, NIC_BACKEND: ainic}
    components:
      venv: {}
      llvm: {repo: https://example.org/llvm.git, ref: v1}
      aiter: {repo: https://example.org/aiter.git, ref: v1}
      sglang: {repo: https://example.org/sglang.git, ref: v1, options: {rust: ""}}
      sgl-kernel: {source: "component:sglang"}
      nic: {}
  above:
    gpu_archs: [gfx942]
    image: above
    base: {cell: below}
    components:
      fast-hadamard-transform: {repo: https://example.org/fht.git, ref: v1}
"""


def stages(matrix: Matrix, *components: str) -> dict[str, list[str]]:
    plan = make_plan(matrix, [cell.id for cell in matrix.cells])
    return {rebuild.id: list(rebuild.stages) for rebuild in after_change_of(plan, components)}


def test_another_pin_rebuilds_the_component_and_the_assembly(load_matrix):
    matrix = load_matrix(MATRIX)
    (rebuild, _) = after_change_of(make_plan(matrix, ["above-gfx942"]), ["aiter"])
    assert dict(rebuild.stages) == {"aiter": "component aiter changed", "final": "it uses aiter"}
    assert sorted(rebuild.kept) == ["base", "llvm", "sgl-kernel", "sglang", "sglang-source", "toolchain"]


@pytest.mark.parametrize(
    ("component", "rebuilt"),
    [
        ("llvm", ["llvm", "aiter", "final"]),
        ("sglang", ["sglang-source", "sglang", "sgl-kernel", "final"]),
        ("nic", ["final"]),
        ("venv", ["base", "toolchain", "llvm", "aiter", "sglang-source", "sglang", "sgl-kernel", "final"]),
    ],
    ids=["used by another", "source of another", "without a stage", "under all stages"],
)
def test_what_depends_on_the_component_is_rebuilt_too(load_matrix, component, rebuilt):
    assert sorted(stages(load_matrix(MATRIX), component)["below-gfx942"]) == sorted(rebuilt)


def test_a_cell_on_a_rebuilt_cell_is_rebuilt_from_its_base(load_matrix):
    matrix = load_matrix(MATRIX)
    assert stages(matrix, "aiter")["above-gfx942"] == ["base", "toolchain", "fast-hadamard-transform", "final"]
    assert stages(matrix, "fast-hadamard-transform") == {
        "below-gfx942": [],
        "above-gfx942": ["fast-hadamard-transform", "final"],
    }


def test_an_unknown_component(load_matrix):
    matrix = load_matrix(MATRIX)
    with pytest.raises(ConfigError, match="no selected cell has a component 'aitre'; did you mean 'aiter'"):
        after_change_of(make_plan(matrix, ["above-gfx942"]), ["aitre"])


def changes(load_matrix, before: str, after: str) -> dict[str, dict[str, str]]:
    plans = []
    for text in (before, after):
        matrix = load_matrix(text)
        plans.append(make_plan(matrix, [cell.id for cell in matrix.cells]))
    return {rebuild.id: dict(rebuild.stages) for rebuild in between(*plans)}


def test_two_versions_of_the_matrix(load_matrix):
    assert changes(load_matrix, MATRIX, MATRIX) == {"below-gfx942": {}, "above-gfx942": {}}
    moved = MATRIX.replace("aiter.git, ref: v1", "aiter.git, ref: v2")
    assert changes(load_matrix, MATRIX, moved) == {
        "below-gfx942": {"aiter": "its instructions changed", "final": "it uses aiter"},
        "above-gfx942": {
            "base": "cell below-gfx942 is rebuilt",
            "toolchain": "base is rebuilt",
            "fast-hadamard-transform": "toolchain is rebuilt",
            "final": "base is rebuilt",
        },
    }


def test_a_new_cell_and_another_base(load_matrix):
    below, _above = MATRIX.split("  above:")
    found = changes(load_matrix, below, MATRIX)
    assert found["below-gfx942"] == {}
    assert set(found["above-gfx942"].values()) == {"the cell is new"}
    rebased = changes(load_matrix, below, below.replace("debian:testing", "debian:trixie"))["below-gfx942"]
    assert rebased["base"] == "its instructions changed"
    assert rebased["llvm"] == "toolchain is rebuilt"


def test_another_version_changes_no_stage_but_the_last(load_matrix):
    released = MATRIX.replace("image: below", "version: v1\n    image: below")
    assert changes(load_matrix, MATRIX, released)["below-gfx942"] == {"final": "what the image says of itself changed"}


def test_the_stages_that_a_stage_uses_are_those_that_its_instructions_name():
    matrix = load(IMAGES)
    plan = make_plan(matrix, [cell.id for cell in matrix.cells])
    for image in plan.images:
        for stage in image.stages:
            named = set(re.findall(r"\bfrom=([\w.-]+)", stage.text)) | set(
                re.findall(r"^FROM ([\w-]+) AS", stage.text, re.MULTILINE)
            )
            assert named - {"scratch"} <= {*stage.uses, image.base}, f"{image.id}: {stage.name}"


@pytest.fixture
def repository(images_yaml):
    """A matrix with a local source, committed."""
    path = images_yaml(
        """
        targets:
          t:
            gpu_archs: [gfx942]
            base: debian:testing
            components:
              fast-hadamard-transform: {repo: https://example.org/fht.git, ref: v1}
              own: {uses: aiter, source: "local:own", options: {requirements: ""}}
        """
    )
    (path.parent / "own").mkdir()
    (path.parent / "own/setup.py").write_text("1\n")
    for words in (["init", "-q"], ["add", "."], ["-c", "user.name=t", "-c", "user.email=t@t", "commit", "-qm", "m"]):
        subprocess.run(["git", *words], cwd=path.parent, check=True)
    return path


def rebuilt_since_head(capsys) -> dict[str, str]:
    assert run(["plan", "--changed-since", "HEAD", "--json"]) == 0
    (row,) = json.loads(capsys.readouterr().out)
    return row["rebuilt"]


def test_since_a_commit(repository, capsys):
    assert rebuilt_since_head(capsys) == {}
    (repository.parent / "own/setup.py").write_text("2\n")
    assert rebuilt_since_head(capsys) == {"own": "the local source of own changed", "final": "it uses own"}
    repository.write_text(repository.read_text().replace("ref: v1", "ref: v2"))
    assert list(rebuilt_since_head(capsys)) == ["fast-hadamard-transform", "own", "final"]


def test_the_table_says_what_is_kept(repository, capsys):
    assert run(["plan", "--changed", "component=own"]) == 0
    out = capsys.readouterr().out
    assert re.search(r"t-gfx942 +own, final +3 of 5 +component own changed", out)
    assert run(["plan", "--changed-since", "HEAD"]) == 0
    assert capsys.readouterr().out == "nothing is rebuilt\n"


@pytest.mark.parametrize(
    ("args", "code", "says"),
    [
        (["--changed", "own"], 2, "write component=NAME"),
        (["--changed", "component=own", "--changed-since", "HEAD"], 2, "exclude each other"),
        (["--changed", "component=gone"], 3, "no selected cell has a component 'gone'"),
        (["--changed-since", "gone"], 12, "gone cannot be read"),
    ],
    ids=["no kind", "both", "no such component", "no such commit"],
)
def test_wrong_words(repository, capsys, args, code, says):
    assert run(["plan", *args]) == code
    assert says in capsys.readouterr().err


def test_a_changed_file_of_a_recipe_rebuilds_the_stages_of_that_recipe(load_matrix):
    (below, _) = make_plan(load_matrix(MATRIX), ["above-gfx942"]).images
    users = [one for one in below.inputs if one.label == "file fetch.sh"]
    other = replace(below, inputs=tuple(replace(o, sha256="0") if o in users else o for o in below.inputs))
    (rebuild,) = between(Plan(images=(other,)), Plan(images=(below,)))
    assert rebuild.stages["aiter"] == "fetch.sh changed"
    assert rebuild.stages["sglang"] == "it uses sglang-source"
    assert {"base", "toolchain"} == set(rebuild.kept)
