"""Fixtures of the tests that need no engine."""

from __future__ import annotations

import os
import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import settings

from rocmimg.matrix import Matrix, Selection, load, parse_set

Load = Callable[..., Matrix]

# Not the user's: every project of a test would leave its compiled templates there.
os.environ["ROCMIMG_CACHE"] = str(Path(__file__).parents[2] / "build/cache-of-tests")

# A test says what is right, not how fast this machine is today.
settings.register_profile("unit", deadline=None)
settings.load_profile("unit")


@pytest.fixture
def images_yaml(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Path]:
    """Write a matrix into a folder of its own and go there, so that messages say `images.yaml`."""
    monkeypatch.chdir(tmp_path)

    def write(text: str) -> Path:
        path = tmp_path / "images.yaml"
        path.write_text(textwrap.dedent(text).lstrip("\n"), encoding="utf-8")
        return path

    return write


@pytest.fixture
def load_matrix(images_yaml: Callable[[str], Path]) -> Load:
    """Load a matrix from text, with `--set` values for the selected cells."""

    def read(text: str, *sets: str, selection: Selection | None = None) -> Matrix:
        return load(images_yaml(text), sets=[parse_set(s) for s in sets], selection=selection or Selection())

    return read
