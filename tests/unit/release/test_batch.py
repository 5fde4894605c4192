"""One call per image, and what a push or a pull shows meanwhile."""

from __future__ import annotations

import io
from types import SimpleNamespace
from typing import Any

from rich.console import Console

from rocmimg.engine import Transfer
from rocmimg.errors import RegistryError, RocmimgError
from rocmimg.release.batch import for_each_image

EVENTS = [
    Transfer(id="aaa", what="Preparing", current=0, total=0),
    Transfer(id="aaa", what="Pushing", current=1_000_000, total=5_000_000),
    Transfer(id="bbb", what="Layer already exists", current=0, total=0),
    Transfer(id="aaa", what="Pushed", current=0, total=0),
    Transfer(id="", what="v1: digest: sha256:1", current=0, total=0),
]
APP: Any = SimpleNamespace(id="app[1]")


def shown(*, terminal: bool) -> str:
    console = Console(file=io.StringIO(), force_terminal=terminal, width=120, soft_wrap=True)
    for_each_image([APP], lambda _image, on_event: [on_event(event) for event in EVENTS], console)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_a_line_for_each_layer_where_nobody_watches() -> None:
    assert shown(terminal=False) == "app[1]: bbb: layer already exists\napp[1]: aaa: pushed\n"


def test_a_bar_on_a_terminal() -> None:
    text = shown(terminal=True)
    assert "2 of 2 layers" in text
    assert "5.0/5.0 MB" in text


def test_the_failure_of_one_image_does_not_stop_the_others() -> None:
    images: list[Any] = [SimpleNamespace(id=name) for name in ("a", "b", "c")]

    def call(image: Any, _: object) -> str:
        if image.id == "b":
            raise RegistryError("b is broken")
        return str(image.id)

    batch = for_each_image(images, call, Console(file=io.StringIO()))
    assert batch.done == ["a", "c"]
    said: list[str] = []
    assert batch.report(lambda text, **_: said.append(text)) == RegistryError.exit_code
    assert said == ["rocmimg: registry: b is broken"]
    assert isinstance(batch.errors[0], RocmimgError)
