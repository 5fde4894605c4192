"""Where a component's sources come from."""

import pytest

from rocmimg.errors import ConfigError
from rocmimg.lock.file import GitPin, Lock
from rocmimg.lock.pin import pin
from rocmimg.source import Git, Local, Nothing, as_json

COMMIT = "1" * 40
MATRIX = f"""
    targets:
      t:
        gpu_archs: [gfx942]
        base: debian:testing
        components:
          sgl-kernel: {{source: "component:sglang"}}
          sglang: {{repo: https://example.org/sglang.git, ref: v1, picks: ["{COMMIT}"], options: {{rust: ""}}}}
          aiter: {{source: "local:aiter@dev"}}
          venv: {{}}
"""


@pytest.fixture
def components(load_matrix):
    def read(*sets):
        return {c.name: c for c in load_matrix(MATRIX, *sets).cells[0].components}

    return read


def test_a_source_is_of_one_kind(components):
    found = components()
    assert found["sglang"].source == Git(repo="https://example.org/sglang.git", ref="v1", picks=(COMMIT,))
    assert found["aiter"].source == Local(folder="aiter@dev")
    assert found["venv"].source == Nothing()


def test_a_shared_source_is_the_owners_whatever_that_is(components):
    assert components()["sgl-kernel"].source == components()["sglang"].source
    local = components("components.sglang.source=local:here")
    assert local["sgl-kernel"].source == Local(folder="here")
    assert (local["sgl-kernel"].shared_with, local["sglang"].shared_with) == ("sglang", "")


def test_the_lock_gives_a_commit_and_keeps_the_name(load_matrix):
    lock = Lock(git={"https://example.org/sglang.git": {"v1": GitPin(kind="tag", commit="2" * 40)}})
    matrix, missing = pin(load_matrix(MATRIX), lock)
    assert [gap for gap in missing if "sglang.git" in gap.what] == []
    for name in ("sglang", "sgl-kernel"):
        (component,) = [c for c in matrix.cells[0].components if c.name == name]
        shown = as_json(component.source)
        assert (shown["ref"], shown["commit"], shown["picks"]) == ("v1", "2" * 40, (COMMIT,))


@pytest.mark.parametrize(
    ("sets", "says"),
    [
        (["components.venv.ref=v1"], "venv has no source of its own; remove ref"),
        (["components.venv.source=local:x"], "venv has no source of its own; remove source"),
        (
            ["components.sgl-kernel.repo=https://example.org/x"],
            "sgl-kernel has the source of sglang, and one of its own",
        ),
        (["components.sgl-kernel.source=component:venv2"], "'venv2' is not a component with a source of its own"),
        (["components.aiter.source=git"], "repo is missing"),
    ],
)
def test_what_a_source_cannot_be(components, sets, says):
    with pytest.raises(ConfigError, match=says):
        components(*sets)
