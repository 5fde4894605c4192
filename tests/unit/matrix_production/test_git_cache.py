"""The step that fetches sources, with a cache of git objects: a real shell, real repositories, real damage."""

import shutil
import subprocess

import pytest

from .conftest import ROOT
from .test_checkout import git


@pytest.fixture(scope="module")
def origin(tmp_path_factory):
    """A repository with a tag and three commits, whose submodule has two; a server that gives any commit."""
    folder, library = tmp_path_factory.mktemp("origin"), tmp_path_factory.mktemp("library")
    commits = {}
    for place in (folder, library):
        git("init", "--quiet", cwd=place)
        git("config", "uploadpack.allowFilter", "true", cwd=place)
        git("config", "uploadpack.allowAnySHA1InWant", "true", cwd=place)
    for text in ("old", "new"):
        (library / "code").write_text(text)
        git("add", ".", cwd=library)
        git("commit", "--quiet", "-m", text, cwd=library)
    git("-c", "protocol.file.allow=always", "submodule", "--quiet", "add", f"file://{library}", "lib", cwd=folder)
    git("checkout", "--quiet", "HEAD~1", cwd=folder / "lib")
    for name in ("one", "two", "three"):
        (folder / name).write_text(name * 500)
        if name == "three":
            git("checkout", "--quiet", "main", cwd=folder / "lib")
        git("add", ".", cwd=folder)
        git("commit", "--quiet", "-m", name, cwd=folder)
        commits[name] = git("rev-parse", "HEAD", cwd=folder)
        if name == "two":
            git("tag", "v1", cwd=folder)
    return folder, commits


@pytest.fixture
def fetch(origin, tmp_path):
    """Check a ref out into a new folder, through the cache in ``tmp_path/cache``; the process, and the folder."""
    (tmp_path / "cache").mkdir()
    (tmp_path / ".gitconfig").write_text('[protocol "file"]\n\tallow = always\n')
    (tmp_path / "sleep").write_text("#!/bin/sh\n")
    (tmp_path / "sleep").chmod(0o755)
    folder, _ = origin

    def start(ref, name, *arguments, repo=folder):
        checkout = tmp_path / "work" / name
        checkout.mkdir(parents=True)
        process = subprocess.Popen(
            ["bash", ROOT / "templates/files/fetch.sh", f"file://{repo}", ref, *arguments],
            env={"PATH": f"{tmp_path}:/usr/bin:/bin", "HOME": str(tmp_path), "ROCMIMG_GIT_CACHE": f"{tmp_path}/cache"},
            cwd=checkout,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        return process, checkout

    return start


@pytest.fixture
def checked_out(fetch):
    """The commit that is checked out for a ref, the folder, and what the step said."""

    def run(ref, name, *arguments):
        process, checkout = fetch(ref, name, *arguments)
        _, said = process.communicate(timeout=60)
        assert process.returncode == 0, said
        git("fsck", "--connectivity-only", cwd=checkout)
        assert git("status", "--porcelain", cwd=checkout) == ""
        return git("rev-parse", "HEAD", cwd=checkout), checkout, said

    return run


def stores(tmp_path, kind):
    return sorted((tmp_path / "cache").glob(f"{kind}-*.git"))


def packs(store):
    return set(store.glob("objects/pack/*.pack"))


def test_another_ref_of_the_repository_fetches_what_is_new(origin, checked_out, tmp_path):
    _, commits = origin
    commit, checkout, said = checked_out("v1", "first")
    assert (commit, said) == (commits["two"], "")
    assert (checkout / "lib/code").read_text() == "old"
    (store,) = stores(tmp_path, "whole")
    before = packs(store)
    commit, checkout, said = checked_out(commits["three"], "second")
    assert (commit, said) == (commits["three"], "")
    assert (checkout / "lib/code").read_text() == "new"
    new = [line for pack in packs(store) - before for line in git("verify-pack", "-v", pack, cwd=store).splitlines()]
    objects = {line.split()[1] for line in new if line[:1].isalnum() and len(line.split()) > 3 and line[:4] != "non "}
    assert objects <= {"commit", "tree", "blob"}
    assert sum(1 for line in new if " blob " in line) == 1, "the file of the new commit"
    assert sum(1 for line in new if " commit " in line) == 1


def test_nothing_of_the_cache_is_in_the_checkout(checked_out, tmp_path):
    _, checkout, _ = checked_out("v1", "first")
    found = subprocess.run(["grep", "-rl", f"{tmp_path}/cache", checkout], capture_output=True, text=True, check=False)
    assert found.stdout == ""
    assert not list(checkout.rglob("alternates"))
    assert "three" not in git("log", "--all", "--format=%s", cwd=checkout).splitlines()


def test_what_an_earlier_build_cached_is_not_in_a_later_checkout(origin, checked_out):
    _, commits = origin
    checked_out("main", "first")
    _, checkout, _ = checked_out("v1", "second")
    has = subprocess.run(
        ["git", "cat-file", "-e", commits["three"]],
        cwd=checkout,
        env={"GIT_NO_LAZY_FETCH": "1", "PATH": "/usr/bin:/bin"},
        capture_output=True,
        check=False,
    )
    listed = git("rev-list", "--all", cwd=checkout).splitlines()
    assert commits["three"] not in listed
    assert has.returncode or commits["three"] not in listed


def test_a_branch_is_what_the_server_says_now(origin, checked_out, tmp_path):
    folder = tmp_path / "moving"
    shutil.copytree(origin[0], folder)
    checked_out("main", "first")
    git("reset", "--quiet", "--hard", "v1", cwd=origin[0])
    try:
        assert checked_out("main", "second")[0] == origin[1]["two"]
    finally:
        git("reset", "--quiet", "--hard", origin[1]["three"], cwd=origin[0])


def test_a_tag_that_the_server_no_longer_has_is_gone(origin, checked_out):
    git("tag", "wrong", cwd=origin[0])
    try:
        assert "wrong" in git("tag", cwd=checked_out("v1", "first")[1]).split()
    finally:
        git("tag", "-d", "wrong", cwd=origin[0])
    assert git("tag", cwd=checked_out("v1", "second")[1]).split() == ["v1"]


def flipped(store):
    for pack in packs(store):
        pack.chmod(0o644)
        data = bytearray(pack.read_bytes())
        for at in range(14, len(data) - 20, 7):
            data[at] ^= 0xFF
        pack.write_bytes(data)


def gone(store):
    shutil.rmtree(store / "objects/pack")


def unreadable(store):
    (store / "config").write_text("[remote")


def locked(store):
    for name in ("packed-refs.lock", "shallow.lock", "HEAD.lock", "config.lock"):
        (store / name).touch()


@pytest.mark.parametrize("damage", [flipped, gone, unreadable, locked])
def test_a_damaged_cache_is_thrown_away(damage, origin, checked_out, tmp_path):
    _, commits = origin
    checked_out("v1", "first")
    for kind in ("whole", "single"):
        (store,) = stores(tmp_path, kind)
        damage(store)
    commit, checkout, _ = checked_out("main", "second")
    assert commit == commits["three"]
    assert (checkout / "three").read_text() == "three" * 500
    for kind in ("whole", "single"):
        (store,) = stores(tmp_path, kind)
        git("fsck", "--connectivity-only", cwd=store)
    assert not list((tmp_path / "cache").glob("*.old"))


def test_a_wrong_object_under_a_right_name_is_no_wrong_checkout(origin, checked_out, tmp_path):
    """Somebody who may write to the cache puts another file where the commit's is."""
    _, commits = origin
    checked_out("v1", "first")
    (store,) = stores(tmp_path, "whole")
    real = git("rev-parse", f"{commits['two']}:two", cwd=origin[0])
    evil = subprocess.run(
        ["git", "hash-object", "-w", "--stdin"], cwd=store, input=b"evil", capture_output=True, check=True
    ).stdout.decode()
    for pack in packs(store):
        shutil.move(pack, tmp_path / "taken")
        subprocess.run(["git", "unpack-objects", "-q"], cwd=store, input=(tmp_path / "taken").read_bytes(), check=True)
        pack.with_suffix(".idx").unlink()
    place = store / "objects" / real[:2] / real[2:]
    place.unlink()
    shutil.copy(store / "objects" / evil[:2] / evil[2:].strip(), place)
    commit, checkout, _ = checked_out("v1", "second")
    assert commit == commits["two"]
    assert (checkout / "two").read_text() == "two" * 500


def test_a_cache_is_kept_where_the_server_is_away(origin, fetch, checked_out, tmp_path):
    folder, _ = origin
    checked_out("v1", "first")
    (store,) = stores(tmp_path, "whole")
    before = packs(store)
    away = folder.with_name("away")
    folder.rename(away)
    try:
        process, _ = fetch("v1", "second")
        process.communicate(timeout=60)
        assert process.returncode
    finally:
        away.rename(folder)
    assert packs(store) == before


def test_a_ref_that_the_server_does_not_have_is_final(fetch, checked_out, tmp_path):
    checked_out("v1", "first")
    (store,) = stores(tmp_path, "whole")
    process, _ = fetch("gone", "second")
    _, said = process.communicate(timeout=60)
    assert process.returncode
    assert "again in" not in said
    assert packs(store)


def test_builds_at_once_do_not_disturb_one_another(origin, fetch):
    _, commits = origin
    running = [(ref, *fetch(ref, f"{ref}-{n}")) for n in range(3) for ref in ("v1", "main")]
    for ref, process, checkout in running:
        _, said = process.communicate(timeout=120)
        assert (process.returncode, said) == (0, "")
        assert git("rev-parse", "HEAD", cwd=checkout) == commits["two" if ref == "v1" else "three"]
        assert (checkout / "lib/code").read_text() == ("old" if ref == "v1" else "new")


def test_a_killed_build_leaves_a_cache_that_works(origin, fetch, checked_out):
    process, _ = fetch("v1", "first")
    process.kill()
    process.communicate()
    assert checked_out("main", "second")[0] == origin[1]["three"]


@pytest.mark.parametrize(("wanted", "there"), [("submodules=none", False), ("submodules=lib", True)])
def test_the_submodules_are_those_that_are_asked_for(wanted, there, checked_out):
    _, checkout, _ = checked_out("v1", "first", wanted)
    assert (checkout / "lib/code").exists() is there
