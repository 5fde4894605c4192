"""Which image stands for a cell."""

from dataclasses import replace

import pytest

from rocmimg.builds.locate import is_reference, locate, locate_references, unplanned
from rocmimg.engine import ImageDetail, ImageInfo
from rocmimg.errors import BaseImageError
from rocmimg.plan import LABEL_CELL, LABEL_DIGEST, make_plan


def info(image_id, *tags, **labels):
    return ImageInfo(id=image_id, tags=tags, digests=(), labels=labels, size=1, created=float(len(image_id)))


@pytest.fixture
def plan(load_matrix):
    matrix = load_matrix("""
        targets:
          t:
            gpu_archs: [gfx942]
            base: debian:1
            image: t
            tags: [v1]
    """)
    return make_plan(matrix, ["t-gfx942"])


BASE = info("sha256:base", "debian:1")


def found(plan, *images):
    (subject,) = locate(plan, ["t-gfx942"], images)
    return subject


def test_the_tagged_image_of_the_plan(plan):
    digest = plan["t-gfx942"].digest("sha256:base")
    subject = found(plan, BASE, info("sha256:1", "t:v1", **{LABEL_CELL: "t-gfx942", LABEL_DIGEST: digest}))
    assert (subject.image.id, subject.reason, subject.expected.digest) == ("sha256:1", "", digest)


def test_an_older_image_is_judged_and_said_to_be_one(plan):
    subject = found(plan, BASE, info("sha256:1", "t:v1", **{LABEL_CELL: "t-gfx942", LABEL_DIGEST: "sha256:old"}))
    assert subject.image.id == "sha256:1"
    assert subject.reason.startswith("not what the plan says")


def test_where_the_base_is_not_here_nothing_is_said_about_the_plan(plan):
    subject = found(plan, info("sha256:1", "t:v1", **{LABEL_CELL: "t-gfx942", LABEL_DIGEST: "sha256:2"}))
    assert subject.expected.digest == ""
    assert "cannot be told" in subject.reason


def test_another_version_does_not_stand_in(plan):
    assert found(plan, BASE, info("sha256:1", "t:v0", **{LABEL_CELL: "t-gfx942"})).image is None


def test_the_newest_image_of_a_cell_without_tags(load_matrix):
    matrix = load_matrix("{targets: {t: {gpu_archs: [gfx942], base: debian:1, image: t, tags: []}}}")
    images = [info("sha256:1", **{LABEL_CELL: "t-gfx942"}), info("sha256:22", **{LABEL_CELL: "t-gfx942"})]
    assert found(make_plan(matrix, ["t-gfx942"]), BASE, *images).image.id == "sha256:22"


def test_no_image_names_the_next_step(plan):
    subject = found(plan, BASE, info("sha256:1", **{LABEL_CELL: "other"}))
    assert subject.image is None
    assert "rocmimg build t-gfx942" in subject.reason


DETAIL = ImageDetail(
    id="sha256:1", tags=("vllm:1",), digests=(), labels={}, env={}, workdir="/app", entrypoint=("vllm", "serve"),
    cmd=(), user="", shell=(), size=1, created="", layers=(),
)  # fmt: skip


@pytest.mark.parametrize(
    ("name", "is_one"),
    [("rocm/pytorch", True), ("busybox:1", True), ("vllm@sha256:00", True), ("localhost:5000/a", True),
     ("3f2a1b0c9d8e", True), ("lab-gfx942", False), ("rocm720", False), ("lab-*", False)],
)  # fmt: skip
def test_what_can_only_be_an_image(name, is_one):
    assert is_reference(name) == is_one


def test_an_image_without_a_plan_is_what_its_configuration_says():
    expected = unplanned("vllm:1", DETAIL, ())
    assert (expected.cell, expected.planned, expected.workdir, expected.user) == ("vllm:1", False, "/app", "root")
    assert expected.entrypoint == ("vllm", "serve")
    assert (expected.archs, expected.archs_from) == ((), "")


@pytest.mark.parametrize(
    ("asked", "more", "archs", "source"),
    [(("gfx942",), {"env": {"PYTORCH_ROCM_ARCH": "gfx90a"}}, ("gfx942",), "--arch"),
     ((), {"env": {"PYTORCH_ROCM_ARCH": "gfx90a;gfx942:xnack-"}}, ("gfx90a", "gfx942"), "variable PYTORCH_ROCM_ARCH"),
     ((), {"labels": {LABEL_CELL: "lab-gfx950"}}, ("gfx950",), f"label {LABEL_CELL}"),
     ((), {"labels": {"com.example.gpu_arch": "gfx9-4-generic"}}, ("gfx9-4-generic",), "label com.example.gpu_arch"),
     ((), {"labels": {LABEL_CELL: "lab-base-gfx9"}, "env": {"GPU_ARCHS": "native"}}, (), "")],
)  # fmt: skip
def test_who_says_which_gpus_it_is_for(asked, more, archs, source):
    expected = unplanned("x:1", replace(DETAIL, **more), asked)
    assert (expected.archs, expected.archs_from) == (archs, source)
    assert expected.archs_asked == (source == "--arch")


class Engine:
    """Has vllm:1, can pull another:1, and nothing else."""

    def image(self, ref):
        return replace(DETAIL, id=ref) if ref in ("vllm:1", "pulled") else None

    def pull(self, ref, _):
        if ref == "another:1":
            return "pulled"
        raise BaseImageError(f"cannot pull {ref}")


def test_what_the_engine_has_not_is_pulled_and_a_wrong_name_costs_itself_only():
    told = []
    found = locate_references(
        Engine(), ["vllm:1", "nowhere:1", "another:1", "vllm:1"], (), lambda *said: told.append(said)
    )
    assert [one.image and one.image.id for one in found] == ["vllm:1", None, "pulled"]
    assert "cannot pull nowhere:1" in found[1].reason
    assert told == [("nowhere:1", "pulling"), ("another:1", "pulling")]


def test_an_image_that_no_build_made_stands_for_no_cell(plan, no_builds):
    digest = plan["t-gfx942"].digest("sha256:base")
    heir = info("sha256:1", "t:v1", **{LABEL_CELL: "t-gfx942", LABEL_DIGEST: digest})
    subject = found(plan, BASE, heir)
    assert subject.image is None
    assert "only has the labels: run `rocmimg build t-gfx942`" in subject.reason
    no_builds("sha256:1", "t-gfx942", digest)
    assert found(plan, BASE, heir).image.id == "sha256:1"


def test_a_newer_image_made_from_a_build_does_not_stand_in_for_it(load_matrix, no_builds):
    matrix = load_matrix("{targets: {t: {gpu_archs: [gfx942], base: debian:1, image: t, tags: []}}}")
    labels = {LABEL_CELL: "t-gfx942", LABEL_DIGEST: "sha256:p"}
    no_builds("sha256:1", "t-gfx942", "sha256:p")
    images = [info("sha256:1", **labels), info("sha256:22", **labels)]
    assert found(make_plan(matrix, ["t-gfx942"]), BASE, *images).image.id == "sha256:1"
