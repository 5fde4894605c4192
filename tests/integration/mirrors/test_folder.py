"""A folder of bare repositories, served for the time of a run: by git alone, and by a build on a real engine."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from rocmimg.engine import ContainerSpec
from rocmimg.engine.client import Engine
from rocmimg.errors import SourceError
from rocmimg.git_server import GitServer

if TYPE_CHECKING:
    from conftest import Project

HOST = "code.invalid"


def git(folder: Path, *words: str, check: bool = True) -> str:
    command = ["git", "-c", "user.name=t", "-c", "user.email=t@t", "-c", "protocol.file.allow=always", "-C", folder]
    done = subprocess.run([*command, *words], check=check, capture_output=True, text=True)
    return done.stdout.strip() if check else done.stderr


@pytest.fixture
def mirrors(tmp_path: Path) -> Path:
    """OWNER/NAME.git, OWNER/NAME and a checkout: a project with a submodule, and a requirement of it by git+https."""
    work, folder = tmp_path / "work", tmp_path / "mirrors"
    for name in ("part", "tool", "main"):
        (work / name).mkdir(parents=True)
        git(work / name, "init", "-q", "-b", "main")
    (work / "part" / "part.txt").write_text("part")
    (work / "tool" / "pyproject.toml").write_text(
        '[build-system]\nrequires = ["setuptools"]\nbuild-backend = "setuptools.build_meta"\n'
        '[project]\nname = "tool"\nversion = "1.0"\n[tool.setuptools]\npy-modules = ["tool"]\n'
    )
    (work / "tool" / "tool.py").write_text("")
    (work / "main" / "large.bin").write_bytes(bytes(range(256)) * 8192)
    (work / "aiter" / "aiter").mkdir(parents=True)
    git(work / "aiter", "init", "-q", "-b", "main")
    (work / "aiter" / "aiter" / "__init__.py").write_text("def fused(q): ...\n")
    for name in ("part", "tool", "aiter"):
        git(work / name, "add", ".")
        git(work / name, "commit", "-q", "-m", name)
    git(work / "main", "submodule", "--quiet", "add", str(work / "part"), "part")
    git(work / "main", "config", "-f", ".gitmodules", "submodule.part.url", f"https://{HOST}/other/part.git")
    git(work / "main", "add", ".")
    git(work / "main", "commit", "-q", "-m", "main")
    git(work / "main", "tag", "v1")
    (work / "main" / "pick.txt").write_text("picked")
    git(work / "main", "add", ".")
    git(work / "main", "commit", "-q", "-m", "pick")
    folder.mkdir()
    git(tmp_path, "clone", "-q", "--bare", str(work / "main"), str(folder / "us" / "main.git"))
    git(tmp_path, "clone", "-q", "--bare", str(work / "part"), str(folder / "other" / "part"))
    git(work / "aiter", "tag", "v1.0")
    git(tmp_path, "clone", "-q", "--bare", str(work / "aiter"), str(folder / "us" / "aiter.git"))
    git(tmp_path, "clone", "-q", str(work / "tool"), str(folder / "us" / "tool"))
    return folder


def test_git_clones_from_it_by_either_name_and_cannot_push(mirrors: Path, tmp_path: Path) -> None:
    server = GitServer(mirrors)
    try:
        assert GitServer(mirrors).url != server.url  # a second run at the same time
        for name in ("us/main", "us/main.git", "other/part", "other/part.git", "us/tool.git"):
            clone = tmp_path / name.replace("/", "-")
            git(tmp_path, "clone", "-q", "--filter=blob:none", f"{server.url}{name}", str(clone))
        assert (tmp_path / "us-main.git" / "large.bin").stat().st_size == 256 * 8192
        assert "no repository us/none.git in the folder" in git(
            tmp_path, "ls-remote", f"{server.url}us/none.git", check=False
        )
        assert "not found" in git(tmp_path, "ls-remote", f"{server.url}../work/part", check=False)
        git(tmp_path / "us-tool.git", "commit", "-q", "--allow-empty", "-m", "more")
        assert "403" in git(tmp_path / "us-tool.git", "push", "origin", "HEAD:refs/heads/more", check=False)
    finally:
        server.close()
    assert GitServer(mirrors).url == server.url, "the URL is in the cache key of the build's steps"


def test_a_long_list_of_wanted_objects_arrives(mirrors: Path, tmp_path: Path) -> None:
    """Beyond http.postBuffer git sends its request in chunks."""
    many = mirrors / "us" / "many"
    many.mkdir()
    git(many, "init", "-q", "-b", "main")
    for number in range(2000):
        (many / f"{number}.txt").write_text(str(number))
    git(many, "add", ".")
    git(many, "commit", "-q", "-m", "many")
    server = GitServer(mirrors)
    try:
        git(
            tmp_path, "-c", "http.postBuffer=66000", "clone", "-q", "--filter=blob:none", f"{server.url}us/many", "many"
        )
    finally:
        server.close()
    assert len(list((tmp_path / "many").iterdir())) == 2001


def test_what_is_no_folder_is_said(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="is not a folder"):
        GitServer(tmp_path / "none")


@pytest.mark.engine
@pytest.mark.usefixtures("lab")
def test_every_fetch_of_a_build_goes_there_and_nothing_of_it_stays(
    project: Callable[[str], Project], mirrors: Path, host_engine: Engine
) -> None:
    """Checkout at a tag, a picked commit, a submodule, a requirement by git+https; no host of that name exists."""
    pick = git(mirrors / "us" / "main.git", "rev-parse", "main")
    sample = project(f"""
        defaults:
          base: rocmimg/lab-base:dev
          image: rocmimg-test/mirrored
          network: {{engine_mode: host, git_mirrors: {{"https://{HOST}/": ./mirrors}}}}
        targets:
          t:
            gpu_archs: [gfx942]
            components:
              main:
                repo: https://{HOST}/us/main.git
                ref: v1
                picks: [{pick}]
    """)
    components = sample.folder / "templates" / "components"
    components.mkdir(parents=True)
    (components / "main.yaml").write_text("description: checkout and requirement\nsources: [git]\n")
    (components / "main.j2").write_text(
        '{% extends "components/component.j2" %}{% block install %}\n'
        "COPY --from=main {{ checkout|word }} {{ checkout|word }}\n"
        "{% call m.run(network=true) %}\n"
        "{{ m.pip_install() }} --no-build-isolation 'tool @ git+https://" + HOST + "/us/tool.git'\n{% endcall %}"
        "{% endblock %}"
    )
    (row,) = sample.json("build")
    assert row["status"] == "built", row
    folder = "/workspace/main"
    with host_engine.run(ContainerSpec(image="rocmimg-test/mirrored:dev-t-mi30x")) as container:
        found = container.exec(
            ["sh", "-c", f"cd {folder}; cat part/part.txt pick.txt; wc -c < large.bin; pip list | grep ^tool"],
            timeout=60,
        )
        assert found.stdout.split() == [b"partpicked2097152", b"tool", b"1.0"], found
        left = container.exec(["grep", "-rlE", "127[.]0[.]0[.]1:[0-9]", folder, "/etc", "/usr/local/lib"], timeout=60)
        assert left.stdout == b""
    log = (sample.folder / row["log"]).read_text()
    assert "127.0.0.1" not in log
    (again,) = sample.json("build")
    assert again["status"] == "up-to-date"
    cold = sample.run("build", "--force", "--json")
    assert '"cached": true' in cold.stdout, "the port changed, and with it the cache key of the steps"
    done = sample.run("build", "--force", "--set", "network.engine_mode=default")
    assert "set network.engine_mode to host" in done.stdout + done.stderr


def test_the_other_verbs_go_there(project: Callable[[str], Project], mirrors: Path) -> None:
    sample = project(f"""
        targets:
          t:
            gpu_archs: [gfx942]
            base: {{rootfs: {{}}}}
            components:
              aiter: {{repo: "https://{HOST}/us/aiter.git", ref: main, capabilities: [aiter.fused]}}
    """)
    env = {
        "ROCMIMG_SET": f"network.git_mirrors[https://{HOST}/]={mirrors}",
        "ROCMIMG_CACHE": str(sample.folder / "cache"),
    }
    assert sample.run("lock", **env).returncode == 0
    assert git(mirrors / "us" / "aiter.git", "rev-parse", "main") in (sample.folder / "images.lock.yaml").read_text()
    for source in ((), ("--source", f"https://{HOST}/us/aiter")):
        done = sample.run("contract", "window", "aiter.fused", *source, **env)
        assert done.stdout.startswith("aiter.fused: from v1.0 on"), done
    done = sample.run("contract", "required", **env)
    assert "yes" in done.stdout, done
    assert "127.0.0.1" not in done.stdout + done.stderr
    done = sample.run("check", "--online", "--json", **env)
    assert not [line for line in done.stderr.splitlines() if "cannot" in line], done
