"""Where the checks are, and how pytest is called on them."""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
import sys
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

from rocmimg.checks.model import TIERS, CheckInfo

if TYPE_CHECKING:
    from rocmimg.matrix import Cell, Matrix

_FOLDERS: Final = ("suite", "kernels")


def folders(own: Path | None) -> list[Path]:
    """The built-in suite, then the project's own checks."""
    here = Path(__file__).parent
    return [*(here / name for name in _FOLDERS), *([own] if own else [])]


def suite_digest(own: Path | None) -> str:
    """sha256 over every file that a verdict can depend on: the checks, what they call, and the project's own."""
    seen = hashlib.sha256()
    for root in (Path(__file__).parent, *([own] if own else [])):
        for path in sorted(root.rglob("*.py")):
            seen.update(f"{path.relative_to(root)}\0".encode() + hashlib.sha256(path.read_bytes()).digest())
    return f"sha256:{seen.hexdigest()}"


def _options(own: Path | None) -> list[str]:
    return [
        *("-c", "/dev/null", "--rootdir", str(Path(__file__).parent), "--import-mode=importlib"),
        *("-p", "no:cacheprovider", "-p", "rocmimg.checks.plugin", "--continue-on-collection-errors"),
        *("-o", "python_files=check_*.py", "-o", "python_functions=check_*", "--tb=short", "-q", "-rs", "--no-header"),
        *map(str, folders(own)),
    ]


def command(own: Path | None, order: Path) -> list[str]:
    """The command line that judges the image of ``order``."""
    return [sys.executable, "-m", "pytest", *_options(own), f"--rocmimg-order={order}"]


def environment(given: Mapping[str, str]) -> dict[str, str]:
    """The environment for it: what the user's own pytest is told is none of ours."""
    kept = {name: value for name, value in given.items() if not name.startswith("PYTEST_")}
    return {**kept, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}


@contextlib.contextmanager
def _only_ours() -> Iterator[None]:
    before = dict(os.environ)
    try:
        os.environ.clear()
        os.environ.update(environment(before))
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def listed(own: Path | None = None) -> list[CheckInfo]:
    """Every check, by tier and id.

    Raises:
        ConfigError: a file of the project's checks cannot be read.
    """
    return list(_ours()) if own is None else _collected(own)


@cache
def _ours() -> tuple[CheckInfo, ...]:
    return tuple(_collected(None))


def _collected(own: Path | None) -> list[CheckInfo]:
    import pytest

    from rocmimg.checks.plugin import describe
    from rocmimg.errors import ConfigError

    class Collector:
        found: list[CheckInfo]

        def pytest_collection_finish(self, session: pytest.Session) -> None:
            self.found = [describe(item) for item in session.items]

    collector = Collector()
    said = io.StringIO()
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said), _only_ours():
        code = pytest.main([*_options(own), "--collect-only"], plugins=[collector])
    if code != pytest.ExitCode.OK:
        lines = [line for line in said.getvalue().splitlines() if line.startswith(("E ", "ERROR: "))]
        raise ConfigError(
            f"the checks in {own} cannot be read" if own else "the checks cannot be read",
            why=" ".join(line.removeprefix("ERROR:").removeprefix("E").strip() for line in lines[:3]),
            next_step="correct that file",
        )
    return sorted(collector.found, key=lambda info: (TIERS.index(info.tier), info.id))


def own_folders(matrix: Matrix) -> list[Path]:
    """The folders with checks of the project's own that a matrix names."""
    names = dict.fromkeys(cell.config.checks.folder for cell in matrix.cells if cell.config.checks.folder)
    return [(matrix.folder / name).resolve() for name in names]


def own_folder(cell: Cell, project: Path) -> Path | None:
    """The folder with the project's own checks; None where the cell names none.

    Raises:
        ConfigError: it is not there, or a file in it cannot be read, or a waiver names no check.
    """
    from rocmimg.errors import ConfigError, did_you_mean

    config = cell.config.checks
    folder = (project / config.folder).resolve() if config.folder else None
    if folder and not folder.is_dir():
        raise ConfigError(f"checks.folder: {folder} is not a folder", position=cell.position("checks", "folder"))
    if config.waivers:
        known = {info.id for info in listed(folder)}
        for index, waiver in enumerate(config.waivers):
            if waiver.check not in known:
                raise ConfigError(
                    f"a waiver is for {waiver.check!r}, which is not a check",
                    next_step=did_you_mean(waiver.check, known),
                    position=cell.position("checks", "waivers", index, "check"),
                )
    return folder
