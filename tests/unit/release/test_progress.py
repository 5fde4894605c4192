"""What a push and a pull show."""

from __future__ import annotations

import io

from rocmimg.engine import Transfer
from rocmimg.release.progress import Progress


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


EVENTS = [
    Transfer(id="aaa", what="Preparing", current=0, total=0),
    Transfer(id="aaa", what="Pushing", current=1_000_000, total=5_000_000),
    Transfer(id="bbb", what="Layer already exists", current=0, total=0),
    Transfer(id="aaa", what="Pushed", current=0, total=0),
    Transfer(id="", what="v1: digest: sha256:1", current=0, total=0),
]


def test_a_line_for_each_layer_where_nobody_watches() -> None:
    stream = io.StringIO()
    progress = Progress("app", stream)
    for event in EVENTS:
        progress(event)
    progress.close()
    assert stream.getvalue() == "app: bbb: layer already exists\napp: aaa: pushed\n"


def test_one_line_on_a_terminal() -> None:
    stream = Terminal()
    progress = Progress("app", stream)
    for event in EVENTS:
        progress(event)
    progress.close()
    assert stream.getvalue().count("\n") == 1
    assert "app: 2 of 2 layers, 5 of 5 MB" in stream.getvalue().splitlines()[-1]
