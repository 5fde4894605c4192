"""Names of candidates."""

import pytest

from rocmimg.registry import parse
from rocmimg.release.candidates import tag_of, tags_of

ID = "sha256:0123456789abcdef"


def test_tags_sort_by_creation_and_belong_to_one_cell() -> None:
    old = tag_of("app-gfx942", "2026-11-01T10:00:00.123456789Z", ID)
    new = tag_of("app-gfx942", "2026-11-02T10:00:00Z", ID)
    variant = tag_of("app-gfx942-mori", "2026-11-03T10:00:00Z", ID)
    assert old == "candidate-app-gfx942-20261101T100000Z-0123456789ab"
    assert tags_of("app-gfx942", [old, variant, new, "v1", "candidate-app-gfx942-x"]) == [new, old]
    assert tags_of("app-gfx942-mori", [old, variant, new]) == [variant]


def test_references_are_read_as_docker_reads_them() -> None:
    assert str(parse("debian")) == "debian:latest"
    assert parse("debian").api_host == "registry-1.docker.io"
    assert parse("debian").name == "library/debian"
    assert str(parse("docker.io/rocm/pytorch:7.2")) == "rocm/pytorch:7.2"
    assert parse("localhost/a:1").host == "localhost"
    assert parse("localhost:5000/a/b").host == "localhost:5000"
    digest = f"sha256:{'0' * 64}"
    assert str(parse(f"r.org/a:1@{digest}")) == f"r.org/a:1@{digest}"
    assert parse(f"r.org/a@{digest}").tag == ""


@pytest.mark.parametrize(
    ("created", "moment"),
    [
        ("2026-11-01T01:00:00+01:00", "20261101T000000Z"),
        ("0001-01-01T00:00:00Z", "00010101T000000Z"),  # what some builders write to be reproducible
        ("0001-01-01T00:00:00+14:00", "19700101T000000Z"),
        ("9999-12-31T23:59:59-14:00", "19700101T000000Z"),
        ("yesterday", "19700101T000000Z"),
        ("", "19700101T000000Z"),
    ],
)
def test_whatever_an_image_says_of_its_time_its_tag_is_found(created: str, moment: str) -> None:
    tag = tag_of("app-gfx942", created, "sha256:" + "a" * 64)
    assert tag == f"candidate-app-gfx942-{moment}-{'a' * 12}"
    assert tags_of("app-gfx942", [tag]) == [tag]
