"""Targets with a Dockerfile of the project's own, or an image that another pipeline builds."""

import pytest

from rocmimg.errors import ConfigError
from rocmimg.lock import Lock, pin
from rocmimg.lock.requests import lookup_requests
from rocmimg.source import Git

DOCKERFILE = """\
# syntax=docker/dockerfile:1
ARG BASE=rocm/pytorch:1
ARG AITER_REF
FROM $BASE AS build
ARG GPU_ARCH
ARG AITER_REF
COPY src /src
RUN make ARCH=$GPU_ARCH
FROM debian:12 AS unused
FROM ${BASE} AS release
COPY --from=build /out /out
COPY --from=tools/kit:2 /kit /kit
"""
MATRIX = """
    defaults:
      base: rocm/other:1
      env: {A: b}
      registry: reg.example.org/team
    targets:
      mine:
        gpu_archs: [gfx942, {both: [gfx942, gfx950]}]
        dockerfile:
          path: docker/rocm.Dockerfile
          stage: release
          args:
            GPU_ARCH: "{archs}"
            AITER_REF: "{aiter.ref}"
        contents:
          aiter: {repo: https://example.org/aiter, ref: v1, checkout: /src/aiter}
          app: {repo: https://example.org/app, ref: "{version}", framework: true}
        per_arch:
          both: {dockerfile: {args: {BASE: "rocm/pytorch:{version}"}}}
"""


@pytest.fixture
def mine(load_matrix, tmp_path):
    (tmp_path / "docker").mkdir()
    (tmp_path / "docker/rocm.Dockerfile").write_text(DOCKERFILE)
    return lambda *sets, text=MATRIX: load_matrix(text, *sets)


def test_a_cell_has_the_arguments_that_its_archs_and_pins_give(mine):
    matrix = mine()
    assert [cell.id for cell in matrix.cells] == ["mine-gfx942", "mine-both"]
    assert matrix.cell("mine-gfx942").build_args == {"GPU_ARCH": "gfx942", "AITER_REF": "v1"}
    both = matrix.cell("mine-both")
    assert both.build_args == {"GPU_ARCH": "gfx942;gfx950", "AITER_REF": "v1", "BASE": "rocm/pytorch:dev"}
    assert both.config.base.image == "rocm/pytorch:dev"


def test_what_defaults_say_for_recipes_does_not_reach_it(mine):
    cell = mine().cell("mine-gfx942")
    assert not cell.has_recipes
    assert cell.config.env == {}
    assert cell.config.base.image == "rocm/pytorch:1"
    assert cell.tags == ("reg.example.org/team/rocmimg:dev-mine-mi30x",)


def test_its_contents_are_components_that_nobody_builds(mine):
    first, app = mine("version=v7").cell("mine-gfx942").components
    assert first.git == Git(repo="https://example.org/aiter", ref="v1")
    assert (app.git.ref, app.recipe.framework, first.recipe.framework) == ("v7", True, False)
    assert mine().cell("mine-gfx942").checkout(first) == "/src/aiter"
    assert mine().cell("mine-gfx942").checkout(app) == ""


def test_the_lock_pins_its_images_where_the_file_names_them_and_its_arguments(mine):
    matrix = mine()
    requests = {request.place: request for request in lookup_requests([matrix.cell("mine-gfx942")])}
    assert set(requests) == {"rocm/pytorch:1", "tools/kit:2", "https://example.org/aiter", "https://example.org/app"}
    assert str(requests["rocm/pytorch:1"].position) == "docker/rocm.Dockerfile:4"
    assert str(requests["tools/kit:2"].position) == "docker/rocm.Dockerfile:12"
    assert str(requests["https://example.org/aiter"].position) == "images.yaml:15"
    digest, commit = f"sha256:{'1' * 64}", "2" * 40
    lock = Lock.model_validate(
        {
            "images": {"rocm/pytorch:1": digest, "tools/kit:2": digest},
            "git": {"https://example.org/aiter": {"v1": {"kind": "tag", "commit": commit}}},
        }
    )
    pinned, missing = pin(matrix, lock)
    cell = pinned.cell("mine-gfx942")
    assert cell.config.base.image == f"rocm/pytorch:1@{digest}"
    assert cell.build_args["AITER_REF"] == commit
    text = cell.dockerfile.stages(cell.build_args).pinned(cell.dockerfile.digests)
    lines, before = text.splitlines(), DOCKERFILE.splitlines()
    assert lines[3] == f"FROM rocm/pytorch:1@{digest} AS build"
    assert lines[11] == f"COPY --from=tools/kit:2@{digest} /kit /kit"
    assert [n for n in range(len(lines)) if lines[n] != before[n]] == [3, 9, 11]
    assert not [one for one in missing if "example.org/aiter" in one.what]


def test_a_dockerfile_can_start_from_another_cell(mine):
    text = MATRIX + (
        "      ground: {gpu_archs: [gfx942], base: rocm/pytorch:1, tags: [ground]}\n"
        "      top:\n        gpu_archs: [gfx942]\n"
        "        dockerfile: {path: docker/rocm.Dockerfile, args: {BASE: reg.example.org/team/rocmimg:ground}}\n"
    )
    top = mine(text=text).cell("top-gfx942")
    assert top.base_cell == "ground-gfx942"
    assert {place for place, _ in top.outside_images} == {"tools/kit:2"}


def wrong(mine, change, *sets):
    with pytest.raises(ConfigError) as caught:
        mine(*sets, text=change(MATRIX))
    return str(caught.value)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (
            "stage: release",
            "stage: relase",
            ":10: docker/rocm.Dockerfile has no stage 'relase'; did you mean 'release'",
        ),
        ("GPU_ARCH: ", "GPU_ARHC: ", "docker/rocm.Dockerfile has no ARG GPU_ARHC; the value would have no effect"),
        ("{archs}", "{arhcs}", "build argument GPU_ARCH has an unknown field {arhcs}"),
        ("rocm.Dockerfile", "roc.Dockerfile", "docker/roc.Dockerfile cannot be read; No such file or directory"),
        ("contents:", "components: {aiter: {}}\n        contents:", "components and dockerfile exclude each other"),
        ("contents:", "base: debian:12\n        contents:", ":14: base and dockerfile exclude each other; docker/rocm"),
        ("contents:", "prebuilt: a/b:1\n        contents:", ":14: dockerfile and prebuilt exclude each other"),
        (
            "contents:",
            "flags: {ENABLE_X: true}\n        contents:",
            "flag ENABLE_X has no effect on mine-gfx942; no build",
        ),
        ("ref: v1, ", "", "contents.aiter: ref is missing"),
        ("BASE: ", "AITER_REF: null, BASE: ", None),
        ("rocm/pytorch:{version}", "", "docker/rocm.Dockerfile:10: FROM names no image"),
    ],
)
def test_what_makes_no_sense_is_refused_where_it_stands(mine, old, new, said):
    if said is None:
        assert "AITER_REF" not in mine(text=MATRIX.replace(old, new)).cell("mine-both").build_args
    else:
        assert said in wrong(mine, lambda text: text.replace(old, new))


def test_a_broken_dockerfile_is_an_error_in_that_file(mine, tmp_path):
    mine()
    (tmp_path / "docker/rocm.Dockerfile").write_text("FROM a\nRUN <<EOF\nnever ends\n")
    assert "docker/rocm.Dockerfile" in wrong(mine, lambda text: text)


def test_contents_belong_to_images_without_recipes(load_matrix):
    with pytest.raises(ConfigError, match="contents is for an image from `dockerfile` or `prebuilt`"):
        load_matrix("targets: {a: {gpu_archs: [gfx942], base: debian:12, contents: {x: {}}}}")


def test_flags_reach_build_arguments_as_upstream_writes_them(load_matrix, tmp_path):
    (tmp_path / "Dockerfile").write_text("FROM scratch\nARG MORI\nARG NIC\n")
    cell = load_matrix("""
        targets:
          a:
            gpu_archs: [gfx942]
            flags: {ENABLE_MORI: true, NIC_BACKEND: ainic}
            dockerfile: {path: Dockerfile, args: {MORI: "{ENABLE_MORI}", NIC: "{{{NIC_BACKEND}}}"}}
    """).cells[0]
    assert cell.build_args == {"MORI": "1", "NIC": "{ainic}"}
    assert cell.flags == {"ENABLE_MORI": True, "NIC_BACKEND": "ainic"}


class TestPrebuilt:
    TEXT = """
        defaults: {base: debian:12, image: app}
        targets:
          theirs: {gpu_archs: [gfx942], prebuilt: "reg.example.org/x/y:1", contents: {torch: {}}}
    """

    def test_it_is_its_reference(self, load_matrix):
        cell = load_matrix(self.TEXT).cells[0]
        assert (cell.prebuilt, cell.has_recipes, cell.tags) == (
            "reg.example.org/x/y:1",
            False,
            ("app:dev-theirs-mi30x",),
        )

    def test_the_lock_resolves_its_tag(self, load_matrix):
        matrix = load_matrix(self.TEXT)
        (request,) = lookup_requests(matrix.cells)
        assert (request.section, request.place, str(request.position)) == (
            "images",
            "reg.example.org/x/y:1",
            "images.yaml:3",
        )
        digest = f"sha256:{'a' * 64}"
        pinned, missing = pin(matrix, Lock(images={"reg.example.org/x/y:1": digest}))
        assert (pinned.cells[0].prebuilt, missing) == (f"reg.example.org/x/y:1@{digest}", [])

    @pytest.mark.parametrize("key", ["base: debian:12", "env: {A: b}", "components: {}", "labels: {a: b}"])
    def test_it_takes_nothing_that_would_change_the_image(self, load_matrix, key):
        with pytest.raises(ConfigError, match="and prebuilt exclude each other"):
            load_matrix(self.TEXT.replace("contents: {torch: {}}", key))
