"""What a shell is offered, by the protocol of click's completion scripts."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from rocmimg.cli import cli
from rocmimg.cli.groups import LazyGroup

MATRIX = """
    targets:
      rocm720:
        gpu_archs: [gfx942, gfx950]
        base: debian:13
        components:
          aiter: {repo: https://example.org/a, ref: v1}
          tilelang: {repo: https://example.org/t, ref: v1}
      rocm700: {gpu_archs: [gfx942], base: debian:13, variants: {slim: {}}}
"""


def offered(folder: Path, words: str) -> list[str]:
    """What bash is told for the last of these words."""
    done = subprocess.run(
        [sys.executable, "-m", "rocmimg"],
        cwd=folder,
        env=os.environ
        | {"_ROCMIMG_COMPLETE": "bash_complete", "COMP_WORDS": words, "COMP_CWORD": str(len(words.split(" ")) - 1)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stderr == ""
    return [line.partition(",")[2] for line in done.stdout.splitlines() if line]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "images.yaml").write_text(textwrap.dedent(MATRIX))
    return tmp_path


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("rocmimg pr", ["promote", "prune"]),
        ("rocmimg build rocm72", ["rocm720", "rocm720-gfx942", "rocm720-gfx950"]),
        ("rocmimg build --target rocm7", ["rocm720", "rocm700"]),
        ("rocmimg promote --target rocm72", ["rocm720"]),
        ("rocmimg list --arch gfx9", ["gfx942", "gfx950"]),
        ("rocmimg plan --set components.a", ["components.aiter.ref=", "components.aiter.enabled="]),
        ("rocmimg plan --changed component=t", ["component=tilelang"]),
        ("rocmimg plan --changed component = t", ["tilelang"]),
        ("rocmimg explain rocm700-gfx942", ["rocm700-gfx942", "rocm700-gfx942-slim"]),
        ("rocmimg test --check arch-", ["arch-code"]),
        ("rocmimg build --progress ", ["auto", "plain", "quiet"]),
        ("rocmimg build none-such", []),
    ],
)
def test_names_are_offered(folder: Path, words: str, found: list[str]) -> None:
    assert offered(folder, words)[: len(found) or 1] == found


def test_a_matrix_that_cannot_be_read_offers_nothing(tmp_path: Path) -> None:
    assert offered(tmp_path, "rocmimg build ro") == []
    (tmp_path / "images.yaml").write_text("targets: [\n")
    assert offered(tmp_path, "rocmimg build ro") == []


def test_the_help_of_a_verb_is_offered_with_it() -> None:
    assert isinstance(cli, LazyGroup)
    (item,) = cli.shell_complete(cli.make_context("rocmimg", ["list"]), "doc")
    assert (item.value, item.help) == ("doctor", "Check the engine and this machine.")
