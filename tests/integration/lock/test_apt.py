"""`check --online` and the archive of a Debian release: what apt really says."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from rocmimg.lock.apt import check_apt
from rocmimg.matrix import load

YAML = """\
targets:
  good: {gpu_archs: [gfx942], base: "debian:bookworm-slim", apt: [libaio1]}
  bad: {gpu_archs: [gfx942], base: "debian:bookworm-slim", apt: [libaio1t64, libaio1]}
"""


@pytest.mark.skipif(not shutil.which("mmdebstrap"), reason="mmdebstrap is not installed")
def test_a_name_of_another_release_is_found(tmp_path: Path) -> None:
    (tmp_path / "images.yaml").write_text(YAML)
    matrix = load(tmp_path / "images.yaml")
    problems, not_run = check_apt(matrix, matrix.cells)
    if not_run:
        pytest.skip(not_run[0])
    assert [(p.cells, p.message) for p in problems] == [(("bad-gfx942",), "the image: bookworm has no libaio1t64")]


@pytest.mark.skipif(not os.environ.get("ROCMIMG_TEST_UBUNTU"), reason="20 lists of packages: ROCMIMG_TEST_UBUNTU=1")
@pytest.mark.skipif(not shutil.which("mmdebstrap"), reason="mmdebstrap is not installed")
def test_every_production_list_can_be_installed_on_its_release() -> None:
    matrix = load(Path(__file__).parents[3] / "images.yaml")
    problems, not_run = check_apt(matrix, matrix.cells)
    if not_run:
        pytest.skip(not_run[0])
    assert problems == []
