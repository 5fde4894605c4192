"""Build or up to date, and the reason that is given."""

import json
from dataclasses import replace

import pytest

from rocmimg.builds import ImageIndex, decide_all, runner
from rocmimg.builds.decide import NOT_A_BUILD, decide
from rocmimg.engine import ImageInfo
from rocmimg.errors import ConfigError
from rocmimg.plan import LABEL_CELL, LABEL_DIGEST, LABEL_INPUTS, make_plan

MATRIX = """
    targets:
      app:
        gpu_archs: [gfx942]
        base: {cell: ground}
        components:
          aiter: {repo: https://example.org/a, ref: v1}
      ground: {gpu_archs: [gfx942], base: "debian:testing"}
"""


def info(image_id, *tags, digests=(), labels=None, created=1.0):
    return ImageInfo(id=image_id, tags=tags, digests=digests, labels=labels or {}, size=1, created=created)


def built(image, base_id, image_id):
    labels = {
        LABEL_CELL: image.id,
        LABEL_DIGEST: image.digest(base_id),
        LABEL_INPUTS: json.dumps(image.all_inputs(base_id)),
    }
    return info(image_id, *image.cell.tags, labels=labels)


DEBIAN = info("sha256:d", "debian:testing")


@pytest.fixture
def plan(load_matrix):
    return lambda *sets: make_plan(load_matrix(MATRIX, *sets), ["app-gfx942"])


@pytest.fixture
def done(plan):
    """Everything built as planned."""
    ground, app = plan().images
    return [DEBIAN, built(ground, "sha256:d", "sha256:g"), built(app, "sha256:g", "sha256:a")]


def actions(decisions):
    return {decision.id: (decision.action, decision.reasons) for decision in decisions}


def test_everything_is_up_to_date(plan, done):
    decisions = decide_all(plan(), done)
    assert [decision.action for decision in decisions] == ["up-to-date", "up-to-date"]
    assert decisions[1].image_id == "sha256:a"


def test_nothing_is_there(plan):
    assert actions(decide_all(plan(), [])) == {
        "ground-gfx942": ("build", ("base debian:testing is to be pulled",)),
        "app-gfx942": ("build", ("base ground-gfx942 is to be built",)),
    }


def test_a_changed_pin_is_named(plan, done):
    app = plan().images[1]
    moved = replace(
        app, inputs=tuple(replace(one, sha256="other") if one.label == "stage aiter" else one for one in app.inputs)
    )
    assert decide(moved, "sha256:g", ImageIndex(done)).reasons == ("stage aiter changed",)


def test_a_new_base_image_is_named_and_the_cells_on_it_follow(plan, done):
    fresh = replace(DEBIAN, id="sha256:new")
    assert actions(decide_all(plan(), [fresh, *done[1:]])) == {
        "ground-gfx942": ("build", ("base image changed",)),
        "app-gfx942": ("build", ("base ground-gfx942 is to be built",)),
    }


def test_another_images_tag_is_not_taken_for_ours(plan, done):
    stranger = info("sha256:x", *plan().images[1].cell.tags)
    decision = decide(plan().images[1], "sha256:g", ImageIndex([*done[:2], stranger]))
    assert decision.action == "build"
    assert decision.reasons == ("no image yet",)


def test_labels_alone_make_no_build(plan, done, no_builds):
    """An image made FROM ours, or committed over its tag, has every label of ours."""
    ground, app = plan().images
    no_builds("sha256:g", ground.id, ground.digest("sha256:d"))
    no_builds("sha256:a", app.id, app.digest("sha256:g"))
    assert [decision.action for decision in decide_all(plan(), done)] == ["up-to-date", "up-to-date"]
    heir = replace(done[2], id="sha256:heir")
    (_, decision) = decide_all(plan(), [*done[:2], heir])
    assert (decision.action, decision.reasons) == ("build", (NOT_A_BUILD,))
    no_builds("sha256:heir", "another-cell", app.digest("sha256:g"))
    assert decide_all(plan(), [*done[:2], heir])[1].action == "build"
    no_builds("sha256:heir", app.id, "sha256:of another plan")
    assert decide_all(plan(), [*done[:2], heir])[1].action == "build"


def test_the_newest_image_of_a_cell_stands_for_it(plan):
    ground, _ = plan().images
    images = [
        replace(built(ground, f"sha256:{base}", f"sha256:image{base}"), created=created, tags=())
        for base, created in (("old", 1.0), ("new", 3.0), ("middle", 2.0))
    ]
    found = ImageIndex(images).of_cell(ground.id)
    assert [image.id for image in found] == ["sha256:imagenew", "sha256:imagemiddle", "sha256:imageold"]


def test_force(plan, done):
    assert decide(plan().images[1], "sha256:g", ImageIndex(done), force=True).reasons == ("forced",)


@pytest.mark.parametrize(
    ("ref", "found"),
    [
        ("debian:testing", True),
        ("debian", False),
        ("busybox", True),
        ("localhost:5000/a/b:1", True),
        ("localhost:5000/a/b", False),
        ("debian@sha256:77", True),
        ("debian:testing@sha256:77", True),
    ],
)
def test_references_are_read_as_docker_reads_them(ref, found):
    index = ImageIndex(
        [
            info("1", "debian:testing", digests=("debian@sha256:77",)),
            info("2", "busybox:latest", "localhost:5000/a/b:1"),
        ]
    )
    assert (index.find(ref) is not None) is found


@pytest.mark.parametrize("epoch", ["abc", "1e9", "9" * 30, "-" + "9" * 20, " ", "\udcff", "12:30"])
def test_a_date_that_is_none_is_refused_before_anything_is_built(monkeypatch, epoch):
    monkeypatch.setenv("SOURCE_DATE_EPOCH", epoch)
    with pytest.raises(ConfigError, match=r"SOURCE_DATE_EPOCH: .* is not a number of seconds since 1970"):
        runner._source_date()


def test_a_date_is_seconds_since_1970(monkeypatch):
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "0")
    assert runner._now() == "1970-01-01T00:00:00Z"
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "")
    assert runner._now() > "2026"
