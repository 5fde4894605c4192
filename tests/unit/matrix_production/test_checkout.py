"""The step that fetches sources, run by a real shell on a real repository."""

import re
import shlex
import subprocess

import pytest

from rocmimg.render import render

from .conftest import ROOT, stage

MATRIX = """
    targets:
      t:
        gpu_archs: [gfx942]
        base: debian:testing
        workdir: {workdir}
        components:
          aiter: {{repo: 'file://{repo}', {source}}}
"""


def git(*arguments, cwd):
    identity = ["-c", "user.name=n", "-c", "user.email=n@host", "-c", "init.defaultBranch=main"]
    done = subprocess.run(["git", *identity, *arguments], cwd=cwd, check=True, capture_output=True, text=True)
    return done.stdout.strip()


@pytest.fixture(scope="module")
def repo(tmp_path_factory):
    """Three commits on main, the second with the tag v1, and one aside."""
    folder = tmp_path_factory.mktemp("origin")
    git("init", "--quiet", cwd=folder)
    commits = {}
    for name in ("one", "two", "three"):
        (folder / name).write_text(name)
        git("add", ".", cwd=folder)
        git("commit", "--quiet", "-m", name, cwd=folder)
        commits[name] = git("rev-parse", "HEAD", cwd=folder)
        if name == "two":
            git("tag", "v1", cwd=folder)
    git("checkout", "--quiet", "-b", "fix", "v1", cwd=folder)
    (folder / "fixed").write_text("fixed")
    git("add", ".", cwd=folder)
    git("commit", "--quiet", "-m", "fixed", cwd=folder)
    commits["fixed"] = git("rev-parse", "HEAD", cwd=folder)
    (folder / "three").write_text("another three")
    git("add", ".", cwd=folder)
    git("commit", "--quiet", "-m", "clash", cwd=folder)
    commits["clash"] = git("rev-parse", "HEAD", cwd=folder)
    library = tmp_path_factory.mktemp("library")
    git("init", "--quiet", cwd=library)
    for text in ("old", "new"):
        (library / "code").write_text(text)
        git("add", ".", cwd=library)
        git("commit", "--quiet", "-m", text, cwd=library)
    git("checkout", "--quiet", "-b", "with-library", "main", cwd=folder)
    git("-c", "protocol.file.allow=always", "submodule", "--quiet", "add", f"file://{library}", "lib", cwd=folder)
    git("checkout", "--quiet", "HEAD~1", cwd=folder / "lib")
    git("add", ".", cwd=folder)
    git("commit", "--quiet", "-m", "with a submodule at its first commit", cwd=folder)
    return folder, commits


FLAKY = """#!/bin/sh
case " $* " in *" {verb} "*)
    if [ ! -e {once} ]; then
        touch {once}
        echo "error: 503" >&2
        exit 128
    fi
esac
exec /usr/bin/git "$@"
"""


@pytest.fixture
def fetch(repo, load_matrix, tmp_path):
    """Run the step; the files of the checkout, or None where it failed."""
    folder, commits = repo

    def run(source, broken=""):
        text = MATRIX.format(workdir=tmp_path / "work", repo=folder, source=source.format(**commits))
        matrix = load_matrix(text)
        (words,) = re.findall(
            r"bash /run/rocmimg/fetch\.sh (.*?)\n(?=[#A-Z])",
            stage(render(matrix, matrix.cells[0]), "aiter").replace("\\\n", ""),
            re.DOTALL,
        )
        (tmp_path / ".gitconfig").write_text('[protocol "file"]\n\tallow = always\n')
        checkout = tmp_path / "work/aiter"
        checkout.mkdir(parents=True)
        (tmp_path / "sleep").write_text(f"#!/bin/sh\necho $1 >> {tmp_path}/slept\n")
        (tmp_path / "sleep").chmod(0o755)
        if broken:
            (tmp_path / "git").write_text(FLAKY.format(verb=broken, once=tmp_path / "failed"))
            (tmp_path / "git").chmod(0o755)
        done = subprocess.run(
            ["bash", ROOT / "templates/files/fetch.sh", *shlex.split(words)],
            env={"PATH": f"{tmp_path}:/usr/bin:/bin", "HOME": str(tmp_path)},
            cwd=checkout,
            check=False,
        )
        return {path.name for path in checkout.iterdir()} - {".git"} if done.returncode == 0 else None

    return run


@pytest.mark.parametrize(
    ("source", "files"),
    [
        ("ref: v1", {"one", "two"}),
        ("ref: main", {"one", "two", "three"}),
        ("ref: {one}", {"one"}),
        ("ref: main, reverts: [{two}]", {"one", "three"}),
        ("ref: main, reverts: [{three}, {two}]", {"one"}),
        ("ref: main, picks: [{fixed}]", {"one", "two", "three", "fixed"}),
        ("ref: main, reverts: [{two}], picks: [{fixed}]", {"one", "three", "fixed"}),
    ],
)
def test_the_pin_is_what_is_checked_out(source, files, fetch):
    assert fetch(source) == files


def test_submodules_are_at_the_commits_of_the_pin(fetch, tmp_path):
    assert fetch("ref: with-library") == {"one", "two", "three", "lib", ".gitmodules"}
    assert (tmp_path / "work/aiter/lib/code").read_text() == "old"


@pytest.mark.parametrize("verb", ["fetch", "checkout", "cherry-pick", "revert", "submodule"])
def test_each_step_that_asks_the_server_is_repeated(verb, fetch, tmp_path):
    source = "ref: with-library, reverts: [{two}], picks: [{fixed}]"
    assert fetch(source, broken=verb) == {"one", "three", "lib", ".gitmodules", "fixed"}
    assert (tmp_path / "slept").read_text() == "5\n"


@pytest.mark.parametrize("source", ["ref: gone", "ref: main, picks: [{clash}]"])
def test_what_the_server_or_the_commits_say_is_final(source, fetch, tmp_path):
    assert fetch(source) is None
    assert not (tmp_path / "slept").exists()


@pytest.mark.parametrize("source", ["ref: v2", "ref: " + "0" * 40, "ref: v1, picks: [" + "0" * 40 + "]"])
def test_a_pin_that_does_not_exist_fails_the_build(source, fetch):
    assert fetch(source) is None
