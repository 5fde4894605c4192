"""A capability is a window of releases, not a minimum version."""

from __future__ import annotations

import json

import pytest

from rocmimg.cli import run
from rocmimg.contract.check import Checker
from rocmimg.contract.stores import repository
from rocmimg.contract.window import Window
from rocmimg.errors import SourceError
from rocmimg.source import Git, Local

from .conftest import git, releases, write

OLD = "def fused(q, k): ...\n"
NEW = "def fused(q, k, eps): ...\n"
TREES = {
    "v0.1.9": {"aiter/__init__.py": "", "aiter/a.py": ""},
    "v0.1.10": {"aiter/__init__.py": "", "aiter/a.py": OLD},
    "v0.1.10.post1": {"aiter/__init__.py": "", "aiter/a.py": NEW},
    "v0.1.11-rc1": {"aiter/__init__.py": "", "aiter/a.py": ""},
    "v0.1.11": {"aiter/__init__.py": "", "aiter/a.py": "def _fused(q): ...\n", "aiter/b.py": "def fused(q): ...\n"},
    "archive/old": {"aiter/__init__.py": "", "aiter/a.py": NEW},
    "v0.2.0": {"aiter/__init__.py": "", "aiter/b.py": "def fused(q): ...\n"},
    "nightly": {"aiter/__init__.py": "", "aiter/a.py": NEW},
}


@pytest.fixture
def source(tmp_path):
    repository.cache_clear()
    return releases(tmp_path / "aiter", TREES)


def test_capability(source):
    with Checker() as checker:
        found = checker.capability("aiter.a.fused", Local(folder=str(source)))
    assert found.window.spans() == [("v0.1.10", "v0.1.10.post1")]
    assert str(found.window) == "v0.1.10 to v0.1.10.post1 (2 of 5 tags)"
    assert found.changes == (("v0.1.10", "(q, k)"), ("v0.1.10.post1", "(q, k, eps)"))


@pytest.mark.parametrize(
    ("having", "text"),
    [
        ("", "none of 5 tags, newest e"),
        ("a", "a (1 of 5 tags)"),
        ("abc", "a to c (3 of 5 tags)"),
        ("cde", "from c on (3 of 5 tags)"),
        ("abd", "a to b, d (3 of 5 tags)"),
        ("abde", "a to b, from d on (4 of 5 tags)"),
        ("e", "from e on (1 of 5 tags)"),
    ],
)
def test_window_in_words(having, text):
    window = Window(answers=tuple((tag, "resolved" if tag in having else "missing-name") for tag in "abcde"))
    assert str(window) == text


def test_an_unclear_release_is_said_to_be_unclear():
    assert str(Window(answers=(("a", "resolved"), ("b", "unknown")))) == "a (1 of 2 tags), unclear in 1"


def test_a_finding_has_its_window_and_the_nearest_name(tmp_path, source):
    framework = write(tmp_path / "fw", {"fw/__init__.py": "from aiter.a import fused\nfused(1, 2, eps=3)\n"})
    with Checker() as checker:

        def check(ref):
            return checker.check(Local(folder=str(framework)), "aiter", Git(repo=str(source), ref=ref))

        (gone,) = check("v0.1.11").findings
        (bad,) = check("v0.1.10").findings
        assert check("v0.1.10.post1").findings == ()
    assert gone.window == "v0.1.10 to v0.1.10.post1 (2 of 5 tags)"
    assert gone.nearest == "aiter.b.fused (with other parameters)"
    assert (bad.verdict, bad.window) == ("bad-argument", "v0.1.10.post1 (1 of 5 tags)")


def test_a_window_needs_releases(tmp_path):
    plain = write(tmp_path / "plain", {"aiter/__init__.py": ""})
    with Checker() as checker, pytest.raises(SourceError, match="is not a git repository"):
        checker.capability("aiter.x", Local(folder=str(plain)))


def test_a_new_release_of_a_remote_is_seen_when_it_is_fetched(source, capsys):
    words = ["contract", "window", "aiter.a.fused", "--source", f"file://{source}"]

    def tags(*more: str) -> str:
        repository.cache_clear()
        assert run([*words, *more]) == 0
        return capsys.readouterr().out.splitlines()[0].partition("(")[2]

    assert tags() == "2 of 5 tags)"
    git(source, "tag", "v0.3.0")
    assert tags() == "2 of 5 tags)"
    assert tags("--fetch") == "3 of 6 tags)"


def test_command(source, capsys):
    assert run(["contract", "window", "aiter.a.fused", "--source", f"aiter={source}", "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown["spans"] == [{"first": "v0.1.10", "last": "v0.1.10.post1"}]
    assert [row["tag"] for row in shown["tags"]] == ["v0.1.9", "v0.1.10", "v0.1.10.post1", "v0.1.11", "v0.2.0"]
