"""What two locks differ in, and how the lock file is read and written."""

from __future__ import annotations

from pathlib import Path

import pytest

from rocmimg.lock import Lock, read_lock, write_lock
from rocmimg.lock.changes import changes, merged
from rocmimg.lock.requests import downloads_of
from rocmimg.matrix import load

A, B = "a" * 40, "b" * 40
DIGEST, OTHER = f"sha256:{'1' * 64}", f"sha256:{'2' * 64}"


def git_lock(repo: str, **refs: tuple[str, str]) -> Lock:
    pins = {ref: {"kind": kind, "commit": commit} for ref, (kind, commit) in refs.items()}
    return Lock.model_validate({"git": {repo: pins}})


@pytest.mark.parametrize(
    ("repo", "link"),
    [
        ("https://github.com/ROCm/aiter.git", f"https://github.com/ROCm/aiter/compare/{A}...{B}"),
        ("git@github.com:ROCm/aiter.git", f"https://github.com/ROCm/aiter/compare/{A}...{B}"),
        ("ssh://git@github.com/ROCm/aiter", f"https://github.com/ROCm/aiter/compare/{A}...{B}"),
        ("https://gitlab.com/g/aiter.git", f"https://gitlab.com/g/aiter/-/compare/{A}...{B}"),
        ("https://git.example.org/aiter.git", ""),
    ],
)
def test_links(repo: str, link: str) -> None:
    (change,) = changes(git_lock(repo, main=("branch", A)), git_lock(repo, main=("branch", B)))
    assert (change.kind, change.link) == ("moved", link)


def test_a_tag_that_moves_is_an_alarm_and_comes_first() -> None:
    before = Lock.model_validate(
        {"images": {"a/b:1": DIGEST}, "git": {"https://x.org/r": {"v1": {"kind": "tag", "commit": A}}}}
    )
    after = Lock.model_validate(
        {"images": {"a/b:1": OTHER}, "git": {"https://x.org/r": {"v1": {"kind": "tag", "commit": B}}}}
    )
    assert [change.kind for change in changes(before, after)] == ["alarm", "moved"]
    assert changes(before, before) == []


def test_commits_of_one_repository_are_a_bump() -> None:
    repo = "https://github.com/ROCm/aiter"
    before, after = git_lock(repo, **{A: ("commit", A)}), git_lock(repo, **{B: ("commit", B)})
    (change,) = changes(before, after)
    assert str(change) == f"bumped  {repo}: {A[:12]} -> {B[:12]}  {repo}/compare/{A}...{B}"


def package(version: str, **files: str) -> Lock:
    names = {f"{name}.whl": digest * 64 for name, digest in files.items()}
    return Lock.model_validate({"packages": {"i": {"cmake<4": {"version": version, "files": names}}}})


def test_a_released_file_that_changes_or_goes_is_an_alarm() -> None:
    assert [c.kind for c in changes(package("1", a="1"), package("1", a="2"))] == ["alarm"]
    assert [c.kind for c in changes(package("1", a="1"), package("1"))] == ["alarm"]
    assert [c.kind for c in changes(package("1", a="1"), package("1", a="1", b="2"))] == ["added"]
    assert [c.kind for c in changes(package("1", a="1"), package("2", b="2"))] == ["moved"]


def test_a_part_is_merged_into_what_is_kept() -> None:
    old = git_lock("https://x.org/r", v1=("tag", A), v2=("tag", A), gone=("tag", A))
    new = git_lock("https://x.org/r", v1=("tag", B))
    both = merged(old, new, {("git", "https://x.org/r", "v2")})
    assert both == git_lock("https://x.org/r", v1=("tag", B), v2=("tag", A))


def test_written_and_read_back(tmp_path: Path) -> None:
    path = tmp_path / "images.lock.yaml"
    lock = merged(git_lock("https://x.org/r", v1=("tag", A), **{"7": ("branch", B)}), package("1.10", a="1"), set())
    lock = lock.model_copy(update={"snapshots": {"https://s.org": "20261101T000000Z"}})
    assert read_lock(path) is None
    assert write_lock(lock, path)
    assert not write_lock(lock, path)
    assert read_lock(path) == lock


def downloads(**versions: str) -> Lock:
    return Lock.model_validate({"downloads": {"mooncake.go": {v: digest * 64 for v, digest in versions.items()}}})


def test_what_a_recipe_downloads_is_in_the_lock_and_the_same_version_with_other_bytes_is_an_alarm() -> None:
    assert [str(c) for c in changes(downloads(v1="1"), downloads(v2="2"))] == ["bumped  mooncake.go: v1 -> v2"]
    (alarm,) = changes(downloads(v1="1"), downloads(v1="2"))
    assert (alarm.kind, alarm.what) == ("alarm", "mooncake.go v1")


def test_production_says_what_it_downloads() -> None:
    matrix = load(Path(__file__).parents[3] / "images.yaml")
    found = downloads_of(matrix.cells)
    assert set(found) == {"mooncake.go", "rust.rustup"}
    assert all(len(digest) == 64 for versions in found.values() for digest in versions.values())
