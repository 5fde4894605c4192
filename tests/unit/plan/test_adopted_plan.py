"""The plan of a target with a Dockerfile of the project's own: its inputs, its context, what a change rebuilds."""

import subprocess

import pytest

from rocmimg.matrix import load
from rocmimg.plan import make_plan
from rocmimg.plan.changed import after_change_of, between
from rocmimg.plan.export import write_contexts

DOCKERFILE = """\
ARG BASE=rocm/pytorch:1
FROM $BASE AS build
ARG GPU_ARCH
ARG WHERE=src
COPY $WHERE/*.txt /in/
RUN --mount=type=bind,source=tools/make.sh,target=/make.sh /make.sh $GPU_ARCH
FROM other:2 AS unused
COPY big /big
FROM $BASE
COPY --from=build /out /out
COPY setup.cfg /
COPY <<EOF /note
hello
EOF
ADD https://example.org/x /x
ARG AITER_REF
"""
MATRIX = """
    targets:
      mine:
        gpu_archs: [gfx942]
        dockerfile: {path: Dockerfile, args: {GPU_ARCH: "{arch}", AITER_REF: "{aiter.ref}"}}
        contents: {aiter: {repo: https://example.org/aiter, ref: v1}}
"""


@pytest.fixture
def mine(load_matrix, tmp_path):
    for name in ("src/a.txt", "src/deep/b.txt", "src/c.py", "tools/make.sh", "big/file", "setup.cfg", "README.md"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    (tmp_path / "Dockerfile").write_text(DOCKERFILE)
    return lambda *sets: make_plan(load_matrix(MATRIX, *sets), ["mine-gfx942"])


def changed(before, after):
    old = before.images[0].named_inputs
    return sorted(name for name, value in after.images[0].named_inputs.items() if old.get(name) != value)


def test_what_its_stages_take_travels_and_nothing_else(mine):
    (image,) = mine().images
    assert [file.path for file in image.context] == ["setup.cfg", "src/a.txt", "tools/make.sh"]
    assert [stage.name for stage in image.stages] == ["build", "stage-2"]
    assert image.stages[1].uses == ("build",)
    assert (image.base, image.other_images, image.target) == ("rocm/pytorch:1", (), "")
    assert image.build_args == {"GPU_ARCH": "gfx942", "AITER_REF": "v1"}
    assert image.dockerfile == DOCKERFILE
    assert not image.expected.configured


@pytest.mark.parametrize(
    ("name", "inputs"),
    [
        ("src/a.txt", ["context src/*.txt"]),
        ("src/new.txt", ["context src/*.txt"]),
        ("src/c.py", []),
        ("tools/make.sh", ["context tools/make.sh"]),
        ("big/file", []),
        ("README.md", []),
    ],
)
def test_the_file_that_changed_is_named(mine, tmp_path, name, inputs):
    before = mine()
    (tmp_path / name).write_text("something else")
    after = mine()
    assert changed(before, after) == inputs
    (rebuild,) = between(before, after)
    assert bool(rebuild.stages) == bool(inputs)


@pytest.mark.parametrize(
    ("old", "new", "inputs"),
    [
        ("hello", "bye", ["stage stage-2"]),
        ("/make.sh $GPU_ARCH", "/make.sh -v $GPU_ARCH", ["stage build"]),
        ("COPY big /big", "COPY README.md /big", []),
        ("WHERE=src", "WHERE=tools", ["context tools/*.txt", "stage build"]),
        ("pytorch:1", "pytorch:2", ["head"]),
        ("FROM $BASE\n", "# a remark\nFROM $BASE\n", []),
    ],
)
def test_the_part_of_the_file_that_changed_is_named(mine, tmp_path, old, new, inputs):
    before = mine()
    (tmp_path / "Dockerfile").write_text(DOCKERFILE.replace(old, new))
    assert changed(before, mine()) == inputs


def test_an_argument_is_an_input_of_the_stage_that_declares_it(mine):
    before, after = mine(), mine("contents.aiter.ref=v2")
    assert changed(before, after) == ["argument AITER_REF"]
    (rebuild,) = between(before, after)
    assert rebuild.stages == {"stage-2": "build argument AITER_REF changed"}
    assert rebuild.kept == ("build",)
    (said,) = after_change_of(before, ["aiter"])
    assert said.stages == {"stage-2": "build argument AITER_REF is the pin of aiter"}


def test_ignored_files_are_no_inputs_and_its_own_ignore_file_comes_first(mine, tmp_path):
    (tmp_path / "Dockerfile").write_text("FROM a\nCOPY . /all\n")
    (tmp_path / ".dockerignore").write_text("*\n")
    (tmp_path / "Dockerfile.dockerignore").write_text("*\n!src\nsrc/*.py\n")
    matrix = MATRIX.replace(', args: {GPU_ARCH: "{arch}", AITER_REF: "{aiter.ref}"}', "")
    (tmp_path / "images.yaml").write_text(matrix)
    (image,) = make_plan(load(tmp_path / "images.yaml"), ["mine-gfx942"]).images
    assert [file.path for file in image.context] == ["src/a.txt", "src/deep/b.txt"]


def test_what_cannot_be_told_is_everything(mine, tmp_path):
    (tmp_path / "Dockerfile").write_text("FROM a\nARG GPU_ARCH\nARG AITER_REF\nCOPY $FROM_BASE /x\n")
    (image,) = mine().images
    assert "big/file" in [file.path for file in image.context]
    assert [one.name for one in image.inputs if one.kind == "context"] == ["."]


def test_it_is_written_beside_a_file_of_any_name(mine, tmp_path):
    (tmp_path / "Dockerfile").write_text("FROM a\nARG GPU_ARCH\nARG AITER_REF\nCOPY Dockerfile setup.cfg /\n")
    for _ in range(2):
        (path,) = write_contexts(mine().images, tmp_path / "out")
    assert path.read_text() == (tmp_path / "Dockerfile").read_text()
    assert sorted(one.name for one in path.parent.iterdir()) == [".rocmimg.Dockerfile", "Dockerfile", "setup.cfg"]


def test_a_line_of_it_is_its_own_place(mine):
    assert str(mine().images[0].origin(5)) == "Dockerfile:5"


def test_what_a_stage_leaves_to_the_one_that_starts_from_it_is_taken_too(mine, tmp_path):
    head = "FROM a AS q\nFROM a AS x\nARG GPU_ARCH\nARG AITER_REF\n"
    (tmp_path / "Dockerfile").write_text(f"{head}ONBUILD COPY src /s\nONBUILD COPY --from=q /a /b\nFROM x\n")
    (image,) = mine().images
    assert [stage.name for stage in image.stages] == ["q", "x", "stage-2"]
    assert {file.path.partition("/")[0] for file in image.context} == {"src"}


def test_what_a_build_writes_is_no_reason_for_the_next(mine, tmp_path):
    (tmp_path / "Dockerfile").write_text("FROM a\nARG GPU_ARCH\nARG AITER_REF\nCOPY . /all\n")
    before = mine()
    for name in ("build/report.json", "build/logs/mine-gfx942.log", "build/results/mine-gfx942.json"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("x")
    assert changed(before, mine()) == []
    (tmp_path / "build/mine.whl").write_text("x")
    assert changed(before, mine()) == ["context ."]


def test_what_a_pipeline_leaves_in_its_checkout_is_no_reason_either(mine, tmp_path):
    (tmp_path / "Dockerfile").write_text("FROM base\nARG GPU_ARCH\nARG AITER_REF\nCOPY . .\n")
    before = mine()
    for name in (".rocmimg/venv/bin/python", ".rocmimg/cache/x", "build/reports/junit.xml", "build/logs/x"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("")
    assert changed(before, mine()) == []
    (tmp_path / "deep/.rocmimg").mkdir(parents=True)
    (tmp_path / "deep/.rocmimg/file").write_text("another project's")
    assert changed(before, mine()) == ["context ."]


def test_two_clones_of_a_commit_are_the_same_context(load_matrix, tmp_path):
    def git(folder, *words):
        subprocess.run(["git", "-C", folder, "-c", "user.name=t", "-c", "user.email=t@t", *words], check=True)

    def planned(folder):
        own = f"dockerfile: {{path: Dockerfile, context: {folder}}}"
        return make_plan(load_matrix(f"targets: {{mine: {{gpu_archs: [gfx942], {own}}}}}"), ["mine-gfx942"])

    first, second = tmp_path / "first", tmp_path / "second"
    first.mkdir()
    (tmp_path / "Dockerfile").write_text("FROM base\nCOPY . .\n")
    git(tmp_path, "init", "--quiet", first)
    assert changed(planned(first), planned(first)) == []  # no commit yet
    (first / "file").write_text("one")
    git(first, "add", ".")
    git(first, "commit", "--quiet", "--message=one")
    git(tmp_path, "clone", "--quiet", first, second)
    assert changed(planned(first), planned(second)) == []
    assert any(file.path == ".git/HEAD" for file in planned(second).images[0].context), "it travels"
    git(second, "commit", "--quiet", "--allow-empty", "--message=two")
    assert changed(planned(first), planned(second)) == ["context ."]


def test_another_version_is_another_image(mine):
    assert changed(mine(), mine("version=v2")) == ["manifest"]
