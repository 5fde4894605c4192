"""``rocmimg lock`` against real git, a real registry, and indexes on loopback."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
import yaml
from release.conftest import repository
from release.test_registry import put_image

from lock.conftest import Upstream, commit, git
from rocmimg.cli import run
from rocmimg.errors import LockError, LockIncomplete, SourceError


def lock_of(upstream: Upstream) -> dict[str, dict[str, object]]:
    found = yaml.safe_load(upstream.lock.read_text())
    assert isinstance(found, dict)
    return found


def test_everything_is_pinned_and_rendered(upstream: Upstream, capsys: pytest.CaptureFixture[str]) -> None:
    digest = upstream.push_base(b"one")
    assert run(["lock"]) == 0
    tagged = git(upstream.aiter, "rev-parse", "v1.0^{commit}")
    lock = lock_of(upstream)
    assert lock["git"] == {"https://github.com/ROCm/aiter": {"v1.0": {"kind": "tag", "commit": tagged}}}
    assert lock["images"] == {f"{upstream.registry}/rocm/base:7.2": digest}
    assert lock["packages"]["default"]["cmake<4"]["version"] == "3.31.0"  # type: ignore[index]
    assert list(lock["snapshots"].values()) == ["20261101T000000Z"]
    capsys.readouterr()
    assert run(["render", "app-gfx942", "--locked"]) == 0
    text = capsys.readouterr().out
    assert f"rocm/base:7.2@{digest} AS base" in text
    assert tagged in text
    assert "v1.0" not in text
    assert "cmake==3.31.0" in text


def test_the_lock_is_written_once(upstream: Upstream) -> None:
    assert run(["lock"]) == 0
    before = upstream.lock.stat().st_mtime_ns
    assert run(["lock"]) == 0
    assert run(["lock", "--check"]) == 0
    assert upstream.lock.stat().st_mtime_ns == before


def test_a_moved_tag_is_an_alarm_that_is_not_taken_over(upstream: Upstream, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["lock"]) == 0
    before = upstream.lock.read_text()
    git(upstream.aiter, "tag", "-f", "-a", "-m", "again", "v1.0")
    capsys.readouterr()
    assert run(["lock", "--check"]) == 1
    assert "alarm   https://github.com/ROCm/aiter tag v1.0" in capsys.readouterr().out
    assert run(["lock"]) == LockError.exit_code
    assert "should never move" in capsys.readouterr().err
    assert upstream.lock.read_text() == before
    assert run(["lock", "--accept-alarms"]) == 0
    assert upstream.lock.read_text() != before


def test_moved_branches_bases_and_packages_are_told(upstream: Upstream, capsys: pytest.CaptureFixture[str]) -> None:
    upstream.replace("ref: v1.0", "ref: main")
    assert run(["lock"]) == 0
    commit(upstream.aiter, "three")
    upstream.push_base(b"two")
    upstream.index.add("cmake", "3.32.0")
    upstream.index.snapshot = "20261120T000000Z"
    capsys.readouterr()
    assert run(["lock", "--check", "--json"]) == 1
    changes = json.loads(capsys.readouterr().out)
    assert {change["kind"] for change in changes} == {"moved"}
    assert len(changes) == 4
    link = next(change["link"] for change in changes if "aiter" in change["what"])
    assert link.startswith("https://github.com/ROCm/aiter/compare/")
    assert run(["lock", "--check", "app-gfx942", "--json"]) == 1
    assert len(json.loads(capsys.readouterr().out)) == 3


def test_a_bump_is_one_readable_line(upstream: Upstream, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["lock"]) == 0
    git(upstream.aiter, "tag", "v1.1")
    upstream.replace("ref: v1.0", "ref: v1.1")
    before = upstream.lock.read_text()
    capsys.readouterr()
    assert run(["lock", "--diff"]) == 0
    line = capsys.readouterr().out
    assert line.startswith("bumped  https://github.com/ROCm/aiter: v1.0 (")
    assert "https://github.com/ROCm/aiter/compare/" in line
    assert upstream.lock.read_text() == before


def test_what_the_lock_lacks_is_a_note_or_an_error(upstream: Upstream, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["render", "app-gfx942", "--locked"]) == LockError.exit_code
    assert "there is no images.lock.yaml" in capsys.readouterr().err
    assert run(["lock"]) == 0
    upstream.replace("ref: v1.0", "ref: main")
    capsys.readouterr()
    assert run(["render", "app-gfx942"]) == 0
    assert "images.yaml:15: https://github.com/ROCm/aiter main is not in images.lock.yaml" in capsys.readouterr().err
    assert run(["render", "app-gfx942", "--locked"]) == LockError.exit_code
    assert "does not fit images.yaml" in capsys.readouterr().err
    assert run(["render", "base-gfx942", "--locked"]) == 0


def test_what_fails_is_named_cell_by_cell_and_the_rest_is_written(
    upstream: Upstream, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["lock"]) == 0
    before = lock_of(upstream)
    upstream.replace("ref: v1.0", "ref: v9")
    upstream.replace("rocm/base:7.2", "rocm/base:9")
    upstream.replace("cmake: <4", "cmake: <4, ninja: <1")
    upstream.index.add("cmake", "3.32.0")
    capsys.readouterr()
    assert run(["lock"]) == LockIncomplete.exit_code
    said = capsys.readouterr().err
    assert "images.yaml:15: app-gfx942, app-gfx950: https://github.com/ROCm/aiter v9" in said
    assert "there is no image" in said
    assert "ninja<1" in said
    assert "3 look-ups failed" in said
    after = lock_of(upstream)
    assert after["packages"]["default"]["cmake<4"]["version"] == "3.32.0"  # type: ignore[index]
    assert set(after["packages"]["default"]) == {"cmake<4"}  # type: ignore[arg-type]
    assert after["snapshots"] == before["snapshots"]
    assert {path.name for path in upstream.file.parent.iterdir()} == {"images.yaml", "images.lock.yaml"}


def test_a_ref_that_is_gone_takes_no_other_of_its_repository_along(upstream: Upstream) -> None:
    upstream.replace(
        "ref: v1.0}",
        "ref: v1.0}\n      more: {uses: aiter, module: more, repo: https://github.com/ROCm/aiter, ref: v9}",
    )
    assert run(["lock"]) == LockIncomplete.exit_code
    assert set(lock_of(upstream)["git"]["https://github.com/ROCm/aiter"]) == {"v1.0"}  # type: ignore[arg-type]


def test_what_the_lock_had_stays_where_its_look_up_fails(upstream: Upstream) -> None:
    assert run(["lock"]) == 0
    before = lock_of(upstream)
    upstream.aiter.rename(upstream.aiter.with_name("gone"))
    assert run(["lock"]) == LockIncomplete.exit_code
    assert lock_of(upstream) == before


def test_the_python_is_that_of_the_base(upstream: Upstream) -> None:
    """A package for Python 3.12 alone can be locked for a cell whose base has that."""
    upstream.index.add("cmake", "3.90.0", requires_python=">=3.12")
    assert run(["lock"]) == 0
    assert lock_of(upstream)["packages"]["default"]["cmake<4"]["version"] == "3.31.0"  # type: ignore[index]
    put_image(repository(upstream.registry, "rocm/base"), "ubuntu24.04_py3.12", b"new")
    upstream.replace("rocm/base:7.2", "rocm/base:ubuntu24.04_py3.12")
    assert run(["lock"]) == 0
    assert lock_of(upstream)["packages"]["default"]["cmake<4"]["version"] == "3.90.0"  # type: ignore[index]


def test_check_online_says_what_moved(upstream: Upstream, capsys: pytest.CaptureFixture[str]) -> None:
    upstream.replace("ref: v1.0", "ref: main")
    assert run(["lock"]) == 0
    capsys.readouterr()
    run(["check", "app-gfx942", "--online", "--json"])
    assert json.loads(capsys.readouterr().out)["moved"] == []
    commit(upstream.aiter, "three")
    upstream.push_base(b"two")
    assert run(["check", "app-gfx942", "--online", "--json"]) == 1
    moved = json.loads(capsys.readouterr().out)["moved"]
    assert [line.split()[0] for line in moved] == ["moved", "moved"], moved
    assert any("branch main" in line for line in moved)
    assert any("rocm/base:7.2" in line for line in moved)


def test_a_lock_that_cannot_be_written_stays(upstream: Upstream, monkeypatch: pytest.MonkeyPatch) -> None:
    assert run(["lock"]) == 0
    before = upstream.lock.read_bytes()
    upstream.push_base(b"two")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    assert run(["lock"]) == LockError.exit_code
    assert upstream.lock.read_bytes() == before
    assert {path.name for path in upstream.file.parent.iterdir()} == {"images.yaml", "images.lock.yaml"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("version: 2\n", "images.lock.yaml:1: the lock has version 2"),
        ("git: [\n", "images.lock.yaml:2: the lock is broken"),
        ("version: 1\nimages: {a: sha256:12}\n", "images.lock.yaml:2"),
        ("version: 1\nimage: {}\n", "unknown key image"),
    ],
)
def test_a_broken_lock_is_named(
    upstream: Upstream, capsys: pytest.CaptureFixture[str], text: str, message: str
) -> None:
    upstream.lock.write_text(text)
    assert run(["render", "app-gfx942"]) == LockError.exit_code
    assert message in capsys.readouterr().err


def test_trouble_of_an_index_is_waited_for(upstream: Upstream) -> None:
    upstream.index.fail = 1
    assert run(["lock"]) == 0


def test_a_long_pause_is_reported_instead_of_waited_for(upstream: Upstream, capsys: pytest.CaptureFixture[str]) -> None:
    upstream.index.fail, upstream.index.retry_after = 1, "7200"
    assert run(["lock"]) == LockIncomplete.exit_code
    assert "503" in capsys.readouterr().err
    assert run(["lock"]) == 0


def test_versions_fit_the_oldest_python_and_this_platform(upstream: Upstream) -> None:
    upstream.index.add("cmake", "3.31.5", requires_python=">=3.11")
    upstream.index.add("cmake", "3.31.6", tag="py3-none-win_amd64")
    upstream.index.add("cmake", "3.31.7rc1")
    assert run(["lock"]) == 0
    assert lock_of(upstream)["packages"]["default"]["cmake<4"]["version"] == "3.31.0"  # type: ignore[index]


def test_a_repository_that_is_not_there(tmp_path: Path) -> None:
    from rocmimg.lock.git import look_up
    from rocmimg.matrix.model import Network

    with pytest.raises(SourceError, match="cannot read"):
        look_up(f"file://{tmp_path}/none", ["v1"], Network())


def test_the_image_describes_itself(upstream: Upstream) -> None:
    from rocmimg.lock import pin, read_lock
    from rocmimg.matrix import load
    from rocmimg.plan import make_plan

    assert run(["lock"]) == 0
    lock = read_lock(upstream.lock)
    assert lock is not None
    matrix, missing = pin(load(upstream.file), lock)
    assert missing == []
    image = make_plan(matrix, ["app-gfx942"]).images[-1]
    member = next(file for file in image.context if file.path.endswith("manifest.json"))
    assert isinstance(member.data, bytes)
    said = json.loads(member.data)
    assert said["cell"] == "app-gfx942"
    assert said["base"]["digest"] == lock.images[f"{upstream.registry}/rocm/base:7.2"]
    (component,) = said["components"]
    assert component["ref"] == "v1.0"
    assert component["commit"] == lock.git["https://github.com/ROCm/aiter"]["v1.0"].commit
    assert said["packages"] == {"cmake": "3.31.0"}
    again = make_plan(matrix, ["app-gfx942"]).images[-1]
    assert again.inputs == image.inputs
