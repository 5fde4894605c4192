"""Names of cells on images that no build here made."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import SimpleNamespace

import pytest

from rocmimg import built
from rocmimg.builds.foreign import foreign_tags, refusal
from rocmimg.builds.local import unneeded
from rocmimg.engine import ImageInfo
from rocmimg.matrix import Matrix
from rocmimg.plan import LABEL_CELL, LABEL_DIGEST, Plan, make_plan

MATRIX = """
    targets:
      app: {gpu_archs: [gfx942], base: "debian:testing", image: reg.example/app, tags: ["{version}", latest]}
      other: {gpu_archs: [gfx942], base: "debian:testing", image: reg.example/app, tags: [other]}
"""
APP = "app-gfx942"


def info(image_id: str, *tags: str, cell: str = "", created: float = 1.0, size: int = 1) -> ImageInfo:
    labels = {LABEL_CELL: cell, LABEL_DIGEST: f"plan of {cell}"} if cell else {}
    return ImageInfo(id=image_id, tags=tags, digests=(), labels=labels, size=size, created=created)


@pytest.fixture
def plan(load_matrix: Callable[..., Matrix]) -> Plan:
    return make_plan(load_matrix(MATRIX), [APP, "other-gfx942"])


@pytest.fixture
def was_built(no_builds: Callable[..., None]) -> Callable[..., ImageInfo]:
    """An image that a build here made."""

    def make(image: ImageInfo, *layers: str) -> ImageInfo:
        cell = image.labels[LABEL_CELL]
        built.remember(built.Built(id=image.id, cell=cell, plan=image.labels[LABEL_DIGEST], layers=layers))
        return image

    return make


def foreign(plan: Plan, *images: ImageInfo, layers: Mapping[str, tuple[str, ...]] | None = None) -> list[str]:
    found = {name: SimpleNamespace(layers=of) for name, of in (layers or {}).items()}
    engine = SimpleNamespace(image=found.get)
    return [one.tag for one in foreign_tags(plan, [APP, "other-gfx942"], images, engine)]  # type: ignore[arg-type]


def test_nothing_has_the_names(plan: Plan, was_built: object) -> None:
    assert foreign(plan) == []
    assert foreign(plan, info("sha256:1", "reg.example/app:elsewhere")) == []


def test_an_image_of_somebody_else_is_foreign(plan: Plan, was_built: object) -> None:
    assert foreign(plan, info("sha256:1", "reg.example/app:latest")) == ["reg.example/app:latest"]
    assert foreign(plan, info("sha256:1", "reg.example/app:dev", cell="third-gfx942")) == ["reg.example/app:dev"]


def test_builds_of_ours_are_not(plan: Plan, was_built: Callable[..., ImageInfo]) -> None:
    assert foreign(plan, was_built(info("sha256:1", "reg.example/app:dev", cell=APP))) == []
    renamed = was_built(info("sha256:2", "reg.example/app:other", cell="formerly-gfx942"))
    assert foreign(plan, renamed) == []


def test_a_build_of_another_machine_is_not(plan: Plan, was_built: object) -> None:
    assert foreign(plan, info("sha256:1", "reg.example/app:dev", cell=APP), layers={"sha256:1": ("a", "b")}) == []


def test_what_was_made_from_a_build_is(plan: Plan, was_built: Callable[..., ImageInfo]) -> None:
    was_built(info("sha256:1", cell=APP), "a", "b")
    committed = info("sha256:2", "reg.example/app:dev", cell=APP)
    assert foreign(plan, committed, layers={"sha256:2": ("a", "b", "c")}) == ["reg.example/app:dev"]
    assert foreign(plan, committed, layers={"sha256:2": ("a", "x", "c")}) == []


def test_the_refusal_names_image_cell_and_way_out(plan: Plan, was_built: object) -> None:
    engine = SimpleNamespace(image=lambda _: None)
    images = [info("sha256:" + "1" * 64, "reg.example/app:latest", "reg.example/app:dev")]
    error = refusal(foreign_tags(plan, [APP], images, engine))  # type: ignore[arg-type]
    assert error.exit_code == 21
    for word in ("reg.example/app:latest names 111111111111", APP, "--force"):
        assert word in str(error)


TAGS = {APP: ("reg.example/app:dev", "reg.example/app:latest"), "untagged-gfx942": ()}


@pytest.mark.parametrize(
    ("image", "reason"),
    [
        (info("sha256:1", "reg.example/app:dev", cell=APP), ""),
        (info("sha256:1", "reg.example/app:dev", "reg.example/app:v0", cell=APP), ""),
        (info("sha256:1", cell=APP), "a later build took its name"),
        (info("sha256:1", "reg.example/app:v0", cell=APP), "no cell has its name"),
        (info("sha256:1", "reg.example/app:v0", cell="formerly-gfx942"), "no cell has its name"),
        (info("sha256:1", "reg.example/app:v0", "mine:kept", cell=APP), ""),
        (info("sha256:1", "reg.example/another:dev", cell=APP), ""),
        (info("sha256:1", cell="of-another-project-gfx942"), ""),
        (info("sha256:1", cell="untagged-gfx942"), "there is a later build"),
        (info("sha256:1", cell="untagged-gfx942", created=9.0), ""),
    ],
)
def test_what_no_cell_needs(image: ImageInfo, reason: str, was_built: Callable[..., ImageInfo]) -> None:
    newest = was_built(info("sha256:2", cell="untagged-gfx942", created=5.0))
    found = {one.image_id: one.reason for one in unneeded(TAGS, [was_built(image), newest])}
    found.pop("sha256:2", None)
    assert found == ({"sha256:1": reason} if reason else {})


def test_what_no_build_here_made_stays(was_built: object) -> None:
    assert (
        unneeded(TAGS, [info("sha256:1", "reg.example/app:v0", cell=APP), info("sha256:2", "reg.example/app:v0")]) == []
    )


def test_a_record_goes_with_its_image(was_built: Callable[..., ImageInfo]) -> None:
    image = was_built(info("sha256:1", cell=APP))
    assert [one.id for one in built.every()] == [image.id]
    built.forget(image.id)
    assert list(built.every()) == []
