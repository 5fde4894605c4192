"""Sources as they come: folders, wheels, sdists, repositories near and far, and what is wrong with them."""

from __future__ import annotations

import shutil
import tarfile
import threading
import zipfile

import pytest

from rocmimg.contract import stores
from rocmimg.contract.check import Checker
from rocmimg.contract.stores import open_store, parse_source, repository, walk
from rocmimg.errors import SourceError
from rocmimg.source import Git, Local

from .conftest import git, releases, write

TREES = {
    "v0.1.0": {"aiter/__init__.py": "x = 1\n", "fw/__init__.py": "from aiter import x\n"},
    "v0.2.0": {"aiter/__init__.py": "y = 1\n"},
}


@pytest.fixture(autouse=True)
def _fresh():
    repository.cache_clear()


@pytest.fixture
def upstream(tmp_path):
    """A repository that serves partial clones."""
    folder = releases(tmp_path / "upstream", TREES)
    git(folder, "config", "uploadpack.allowFilter", "true")
    git(folder, "config", "uploadpack.allowAnySHA1InWant", "true")
    return folder


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("./aiter", Local(folder="./aiter")),
        ("./aiter@v0.1.12", Git(repo="./aiter", ref="v0.1.12")),
        ("./aiter@release/2.10", Git(repo="./aiter", ref="release/2.10")),
        ("https://example.org/aiter.git@v1", Git(repo="https://example.org/aiter.git", ref="v1")),
        ("https://me@example.org/aiter.git", Git(repo="https://me@example.org/aiter.git", ref="")),
        ("https://me@example.org/aiter@v1", Git(repo="https://me@example.org/aiter", ref="v1")),
        ("git@example.org:a/b", Git(repo="git@example.org:a/b", ref="")),
        ("git@example.org:a/b@v1", Git(repo="git@example.org:a/b", ref="v1")),
    ],
)
def test_ref(text, expected):
    assert parse_source(text) == expected


def contract(framework, source):
    with Checker() as checker:
        return checker.check(parse_source(str(framework)), "aiter", parse_source(str(source)))


def test_every_kind_of_source_gives_the_same_answer(tmp_path):
    tree = {"aiter/__init__.py": "x = 1\n"}
    framework = write(tmp_path / "fw", {"fw/__init__.py": "from aiter import x, gone\n"})
    folder = write(tmp_path / "folder", tree)
    wheel, sdist = tmp_path / "aiter-1-py3-none-any.whl", tmp_path / "aiter-1.tar.gz"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.write(folder / "aiter/__init__.py", "aiter/__init__.py")
    with tarfile.open(sdist, "w:gz") as archive:
        archive.add(folder / "aiter", "aiter-1/aiter")
    releases(tmp_path / "git", {"v1": tree})
    bare = tmp_path / "bare.git"
    git(tmp_path, "clone", "-q", "--bare", str(tmp_path / "git"), str(bare))
    places = [folder, wheel, sdist, tmp_path / "git", f"{tmp_path / 'git'}@v1", bare, f"{bare}@main"]
    for place in places:
        found = contract(framework, place).findings
        assert [(f.target, f.verdict) for f in found] == [("aiter.gone", "missing-name")], place


def test_a_checkout_without_a_ref_is_read_as_it_lies(tmp_path):
    folder = releases(tmp_path / "git", {"v1": {"aiter/__init__.py": "x = 1\n"}})
    (folder / "aiter/__init__.py").write_text("changed = 1\n")
    framework = write(tmp_path / "fw", {"fw/__init__.py": "from aiter import changed\n"})
    assert contract(framework, folder).findings == ()
    assert contract(framework, f"{folder}@v1").findings != ()


def test_a_second_run_parses_nothing(tmp_path, monkeypatch):
    framework = write(tmp_path / "fw", {"fw/__init__.py": "from aiter import x, gone\n"})
    source = write(tmp_path / "source", {"aiter/__init__.py": "x = 1\n"})
    first = contract(framework, source)

    def refuse(*_: object) -> None:
        raise AssertionError("parsed again")

    monkeypatch.setattr("rocmimg.contract.framework.read_uses", refuse)
    monkeypatch.setattr("rocmimg.contract.modules.read_module", refuse)
    assert contract(framework, source) == first


def test_a_broken_cache_costs_nothing_but_time(tmp_path, cache):
    framework = write(tmp_path / "fw", {"fw/__init__.py": "from aiter import x, gone\n"})
    source = write(tmp_path / "source", {"aiter/__init__.py": "x = 1\n"})
    first = contract(framework, source)
    (cache / "contract" / "parsed.sqlite").write_bytes(b"no database")
    assert contract(framework, source) == first
    shutil.rmtree(cache)
    cache.write_text("not even a folder")
    assert contract(framework, source) == first


def test_a_remote_is_cloned_without_blobs_and_read_in_few_requests(tmp_path, upstream):
    place = f"file://{upstream}@v0.1.0"
    store = open_store(parse_source(place))
    paths = [path for path, _ in walk(store, "", (".py",))]
    assert paths == ["aiter/__init__.py", "fw/__init__.py"]
    clone = repository(f"file://{upstream}")
    assert clone.partial
    assert contract(place, place).findings == ()


def test_a_remote_branch_is_followed(upstream):
    place = f"file://{upstream}@main"
    before = open_store(parse_source(place)).name, repository(f"file://{upstream}").resolve("main")
    write(upstream, {"aiter/__init__.py": "z = 1\n"})
    git(upstream, "commit", "-qam", "more")
    repository.cache_clear()  # a new process
    open_store(parse_source(place))
    assert repository(f"file://{upstream}").resolve("main") == git(upstream, "rev-parse", "main") != before[1]


def test_a_commit_that_no_branch_has_is_fetched(upstream):
    url = f"file://{upstream}"
    open_store(parse_source(f"{url}@v0.1.0"))
    git(upstream, "checkout", "-q", "--detach")
    git(upstream, "commit", "-q", "--allow-empty", "-m", "lost")
    commit = git(upstream, "rev-parse", "HEAD")
    git(upstream, "checkout", "-q", "main")
    assert repository(url).resolve(commit) == commit


def test_two_runs_at_once_share_one_clone(tmp_path, upstream):
    errors: list[BaseException] = []

    def one() -> None:
        try:
            repository.__wrapped__(f"file://{upstream}").resolve("v0.2.0")
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=one) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []


def test_a_ref_that_does_not_exist(upstream):
    with pytest.raises(SourceError) as caught:
        open_store(parse_source(f"{upstream}@v0.1.1"))
    assert "no ref 'v0.1.1'" in str(caught.value)
    assert "v0.1.0" in str(caught.value)


def test_a_shallow_clone(tmp_path, upstream):
    git(tmp_path, "clone", "-q", "--depth", "1", f"file://{upstream}", "shallow")
    with pytest.raises(SourceError) as caught:
        open_store(parse_source(f"{tmp_path / 'shallow'}@v0.1.0"))
    assert "shallow" in str(caught.value)
    assert "fetch --unshallow --tags" in str(caught.value)


def test_not_a_git_repository(tmp_path):
    write(tmp_path / "plain", {"aiter/__init__.py": ""})
    with pytest.raises(SourceError, match="is not a git repository"):
        open_store(parse_source(f"{tmp_path / 'plain'}@v1"))


def test_nothing_there(tmp_path):
    with pytest.raises(SourceError, match="does not exist"):
        open_store(parse_source(str(tmp_path / "nothing")))


def test_a_remote_that_does_not_answer(tmp_path):
    with pytest.raises(SourceError, match="cannot clone"):
        open_store(parse_source(f"file://{tmp_path}/nothing@v1"))


def test_a_damaged_wheel(tmp_path):
    wheel = tmp_path / "x-1-py3-none-any.whl"
    wheel.write_bytes(b"PK\x03\x04 half")
    with pytest.raises(SourceError, match="cannot read"):
        open_store(parse_source(str(wheel)))


def test_a_source_without_the_package(tmp_path):
    framework = write(tmp_path / "fw", {"fw/__init__.py": "import aiter\n"})
    source = write(tmp_path / "source", {"other/__init__.py": ""})
    with pytest.raises(SourceError, match="has no package 'aiter'"):
        contract(framework, source)


def test_only_what_is_shipped_is_read(tmp_path):
    framework = write(
        tmp_path / "fw",
        {
            "python/sglang/__init__.py": "from aiter import gone\n",
            "python/sglang/test/t.py": "from aiter import gone\n",
            "test/test_x.py": "from aiter import gone\n",
            "tests/__init__.py": "from aiter import gone\n",
            "benchmark/b/__init__.py": "from aiter import gone\n",
            "python/setup.py": "import aiter_gone\n",
        },
    )
    source = write(tmp_path / "source", {"aiter/__init__.py": ""})
    assert [f.file for f in contract(framework, source).findings] == [
        "python/sglang/__init__.py",
        "python/sglang/test/t.py",
    ]


def test_an_archive_that_unpacks_without_end_is_read_up_to_a_size(tmp_path, monkeypatch):
    wheel, sdist = tmp_path / "aiter-1-py3-none-any.whl", tmp_path / "aiter-1.tar.gz"
    monkeypatch.setattr(stores, "_LARGEST", 64 << 10)
    bomb = write(tmp_path / "bomb", {"a.py": "#" * (1 << 20)}) / "a.py"
    with zipfile.ZipFile(wheel, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.write(bomb, "aiter/a.py")
    with tarfile.open(sdist, "w:gz") as archive:
        archive.add(bomb, "aiter-1/aiter/a.py")
    for store in (stores.WheelStore(wheel, "aiter"), stores.SdistStore(sdist, "aiter")):
        ((_, content),) = store.read(["aiter/a.py"])
        assert len(content) == 64 << 10
    monkeypatch.setattr(stores, "_UNPACKED", 512 << 10)
    with pytest.raises(SourceError, match="is not read to its end; it unpacks to more than"):
        stores.SdistStore(sdist, "aiter")
