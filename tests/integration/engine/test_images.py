from __future__ import annotations

import pytest

from rocmimg.engine import BuildRequest
from rocmimg.engine.client import Engine
from rocmimg.engine.layers import dead
from rocmimg.errors import EngineError

TAG = "rocmimg-engine-test:image"
OTHER = "localhost:5999/rocmimg/engine-test:other"
TEXT = """\
FROM {base}
SHELL ["bash", "-o", "pipefail", "-c"]
ENV A=1 EMPTY= URL="x=y"
WORKDIR /srv/here
USER 1234:5678
ENTRYPOINT ["/bin/sh"]
CMD ["-c", "true"]
RUN true | cat
"""


@pytest.fixture
def image(engine: Engine, base: str):
    text = TEXT.format(base=base)
    outcome = engine.build(BuildRequest(dockerfile=text, tags=(TAG,), labels={"io.rocmimg.x": "y"}), lambda _: None)
    yield outcome.image_id
    engine.remove(TAG, force=True)


def test_the_engine_describes_itself(engine: Engine) -> None:
    info = engine.info
    assert info.kind in {"docker", "podman"}
    assert info.version
    assert tuple(map(int, info.api_version.split("."))) >= (1, 40)
    assert info.memory_bytes > 1 << 28
    assert info.root_dir.startswith("/")
    assert info.storage_driver


def test_one_list_holds_tags_labels_and_ids(engine: Engine, image: str) -> None:
    engine.tag(TAG, OTHER)
    (listed,) = [one for one in engine.images() if TAG in one.tags]
    assert set(listed.tags) == {TAG, OTHER}
    assert listed.labels["io.rocmimg.x"] == "y"
    assert listed.id == image
    assert listed.size > 0
    assert listed.created > 1_600_000_000
    engine.remove(OTHER)
    (listed,) = [one for one in engine.images() if one.id == image]
    assert listed.tags == (TAG,)


def test_an_inspected_image_shows_its_configuration(engine: Engine, image: str) -> None:
    detail = engine.image(TAG)
    assert detail is not None
    assert detail.id == image
    assert detail.env["A"] == "1"
    assert detail.env["EMPTY"] == ""
    assert detail.env["URL"] == "x=y"
    assert detail.workdir == "/srv/here"
    assert detail.user == "1234:5678"
    assert detail.entrypoint == ("/bin/sh",)
    assert detail.cmd == ("-c", "true")
    # podman 4.3 builds with SHELL, but its docker-compatible inspect leaves it out.
    assert detail.shell == (("bash", "-o", "pipefail", "-c") if engine.info.kind == "docker" else ())
    assert all(layer.startswith("sha256:") for layer in detail.layers)
    assert engine.image(image) == detail


def test_the_history_is_oldest_first(engine: Engine, image: str) -> None:
    steps = [step.created_by for step in engine.history(TAG)]
    copied = next(n for n, step in enumerate(steps) if "COPY" in step)
    ran = next(n for n, step in enumerate(steps) if "true | cat" in step)
    assert copied < ran


def test_an_unknown_image_is_none_and_its_removal_nothing(engine: Engine) -> None:
    assert engine.image("rocmimg-engine-test:never-was") is None
    engine.remove("rocmimg-engine-test:never-was")
    with pytest.raises(EngineError, match="never-was"):
        engine.history("rocmimg-engine-test:never-was")


def test_the_layers_tell_what_a_later_one_hides(engine: Engine, base: str) -> None:
    tag = "rocmimg-engine-test:hidden"
    text = f"FROM {base}\nRUN head -c 5000 /dev/zero >/one; head -c 300 /dev/zero >/kept\nRUN rm /one\n"
    engine.build(BuildRequest(dockerfile=text, tags=(tag,)), lambda _: None)
    try:
        (found,) = dead(engine.layers(tag))
    finally:
        engine.remove(tag, force=True)
    assert found.bytes == 5000
    assert "5000" in found.created_by
