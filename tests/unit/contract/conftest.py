"""Small frameworks and sources, written as a user would have them on disk."""

from __future__ import annotations

import os
import subprocess
import textwrap
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from rocmimg.contract.check import Checker
from rocmimg.contract.model import Contract, Finding
from rocmimg.source import Local

Tree = Mapping[str, str]


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of the test's own."""
    monkeypatch.setenv("ROCMIMG_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def write(root: Path, tree: Tree) -> Path:
    for path, text in tree.items():
        file = root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(textwrap.dedent(text))
    return root


def git(folder: Path, *words: str) -> str:
    environment = {key: value for key, value in os.environ.items() if not key.startswith("GIT_")} | {
        "GIT_CONFIG_GLOBAL": "/dev/null",
        "GIT_AUTHOR_NAME": "t",
        "GIT_AUTHOR_EMAIL": "t@example.org",
        "GIT_COMMITTER_NAME": "t",
        "GIT_COMMITTER_EMAIL": "t@example.org",
    }
    done = subprocess.run(
        ["git", "-C", str(folder), *words], capture_output=True, text=True, check=True, env=environment
    )
    return done.stdout.strip()


def releases(folder: Path, trees: Mapping[str, Tree]) -> Path:
    """A repository with one commit and one tag per release; each tree replaces the one before."""
    folder.mkdir(parents=True)
    git(folder, "init", "-q", "-b", "main")
    for tag, tree in trees.items():
        for file in folder.rglob("*.py"):
            file.unlink()
        write(folder, tree)
        git(folder, "add", "-A")
        git(folder, "commit", "-q", "--allow-empty", "-m", tag)
        git(folder, "tag", tag)
    return folder


@pytest.fixture
def check(tmp_path: Path) -> Callable[..., Contract]:
    """Hold ``user.py`` against a package ``aiter`` given as files."""

    def run(use: str, source: Tree, package: str = "aiter") -> Contract:
        framework = write(tmp_path / "framework", {"fw/__init__.py": "", "fw/user.py": use})
        write(tmp_path / "source", {f"{package}/__init__.py": ""} | dict(source))
        with Checker() as checker:
            return checker.check(Local(folder=str(framework)), package, Local(folder=str(tmp_path / "source")))

    return run


def brief(contract: Contract) -> list[tuple[str, int, str, str, str, str]]:
    """The fields of findings that tests speak of."""
    return [(f.target, f.line, f.when, f.guard, f.verdict, f.level) for f in contract.findings]


def only(contract: Contract) -> Finding:
    assert len(contract.findings) == 1, contract.findings
    return contract.findings[0]
