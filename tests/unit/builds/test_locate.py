"""Which image stands for a cell."""

import pytest

from rocmimg.builds.locate import locate
from rocmimg.engine import ImageInfo
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
    assert (subject.image.id, subject.reason, subject.digest) == ("sha256:1", "", digest)


def test_an_older_image_is_judged_and_said_to_be_one(plan):
    subject = found(plan, BASE, info("sha256:1", "t:v1", **{LABEL_CELL: "t-gfx942", LABEL_DIGEST: "sha256:old"}))
    assert subject.image.id == "sha256:1"
    assert subject.reason.startswith("not what the plan says")


def test_where_the_base_is_not_here_nothing_is_said_about_the_plan(plan):
    subject = found(plan, info("sha256:1", "t:v1", **{LABEL_CELL: "t-gfx942", LABEL_DIGEST: "sha256:2"}))
    assert subject.digest == ""
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
