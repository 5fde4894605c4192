"""The probe in the image and the text at the pin must say the same."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from rocmimg.contract.check import Checker
from rocmimg.contract.probe import PROGRAM, compare, needs, not_told, static_answers
from rocmimg.source import Local

from .conftest import write

USE = """\
import aiter
import aiter.ops
from aiter import x, gone
from aiter.ops import f
from aiter.lost import y
aiter.ops.f()
aiter.Kind.a
aiter.Kind.b
"""
SOURCE = {
    "aiter/__init__.py": "from enum import Enum\nx = 1\nclass Kind(Enum):\n    a = 1\n",
    "aiter/ops.py": "def f(): ...\n",
}


def ask(folder, wanted):
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        input=json.dumps(wanted),
        capture_output=True,
        text=True,
        cwd=folder,
        check=True,
    )
    return json.loads(done.stdout)


@pytest.fixture
def world(tmp_path):
    framework = write(tmp_path / "fw", {"fw/__init__.py": USE})
    source = write(tmp_path / "source", SOURCE)
    with Checker() as checker:
        uses = checker.scan(Local(folder=str(framework)), "aiter").uses
        return uses, static_answers(uses, checker.package("aiter", Local(folder=str(source)))), source


def test_they_agree(world):
    uses, static, folder = world
    dynamic = ask(folder, needs(uses))
    assert dynamic == static
    assert compare(static, dynamic) == []
    assert sorted(needs(uses)) == [
        "aiter",
        "aiter.Kind.a",
        "aiter.Kind.b",
        "aiter.gone",
        "aiter.lost.y",
        "aiter.ops",
        "aiter.ops.f",
        "aiter.x",
    ]


def test_an_image_with_another_source_is_found_out(world):
    uses, static, folder = world
    (folder / "aiter/__init__.py").write_text("gone = 1\nclass Kind:\n    a = 1\n")
    found = {d.target: (d.static, d.dynamic) for d in compare(static, ask(folder, needs(uses)))}
    assert found == {"aiter.x": ("there", "missing"), "aiter.gone": ("missing", "there")}


def test_a_name_that_was_not_asked_for_is_a_difference(world):
    _, static, _ = world
    assert len(compare(static, {})) == len(static)


def test_an_import_that_needs_a_gpu_is_not_told_and_not_passed(world):
    uses, static, folder = world
    (folder / "aiter/__init__.py").write_text("raise RuntimeError('no GPU')\n")
    dynamic = ask(folder, needs(uses))
    assert compare(static, dynamic) == []
    assert set(not_told(dynamic)) == set(static)
    assert not_told(dynamic)["aiter.x"] == "RuntimeError: no GPU"
