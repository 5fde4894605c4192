"""/usr/share/rocmimg/manifest.json as an input of the plan."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from rocmimg.matrix import Matrix
from rocmimg.plan import ImagePlan, make_plan

MATRIX = """
targets:
  app:
    gpu_archs: [gfx942]
    base: "debian:13"
    flags: {BUILD_AITER_ALL: true}
    components:
      aiter: {repo: "https://github.com/ROCm/aiter", ref: REF}
"""


def image(load_matrix: Callable[..., Matrix], ref: str, *sets: str) -> ImagePlan:
    return make_plan(load_matrix(MATRIX.replace("REF", ref), *sets), ["app-gfx942"]).images[0]


def manifest(plan: ImagePlan) -> dict[str, Any]:
    member = next(file for file in plan.context if file.path == ".rocmimg/manifest.json")
    assert isinstance(member.data, bytes)
    found = json.loads(member.data)
    assert isinstance(found, dict)
    return found


def test_it_is_the_same_twice_and_copied_last(load_matrix: Callable[..., Matrix]) -> None:
    one, other = image(load_matrix, "v1"), image(load_matrix, "v1")
    assert one.inputs == other.inputs
    last = [line for line in one.dockerfile.splitlines() if line.startswith(("COPY", "RUN"))][-1]
    assert last == "COPY .rocmimg/manifest.json /usr/share/rocmimg/manifest.json"


def test_a_ref_is_a_commit_only_where_it_is_one(load_matrix: Callable[..., Matrix]) -> None:
    (tag,) = manifest(image(load_matrix, "v1"))["components"]
    assert (tag["ref"], tag["commit"]) == ("v1", "")
    (commit,) = manifest(image(load_matrix, "a" * 40))["components"]
    assert (commit["ref"], commit["commit"]) == ("a" * 40, "a" * 40)


def test_a_version_changes_the_manifest_and_nothing_else(load_matrix: Callable[..., Matrix]) -> None:
    before, after = image(load_matrix, "v1"), image(load_matrix, "v1", "version=v2")
    changed = [one.label for one in before.inputs if one not in after.inputs]
    assert changed == ["manifest"]
    assert manifest(before)["recipe"] == manifest(after)["recipe"]
    assert manifest(after)["flags"] == {"BUILD_AITER_ALL": True}


def test_how_the_network_is_reached_is_not_in_it(load_matrix: Callable[..., Matrix]) -> None:
    plain = image(load_matrix, "v1")
    proxied = image(load_matrix, "v1", "network.http_proxy=http://user:hunter2@proxy:1")
    assert "hunter2" not in json.dumps(manifest(proxied))
    assert "hunter2" not in proxied.dockerfile
    assert "hunter2" not in json.dumps(dict(proxied.labels))
    assert manifest(plain)["components"] == manifest(proxied)["components"]
