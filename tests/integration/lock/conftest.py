"""Real upstreams on this machine: git repositories, a registry, a Python index, a snapshot service."""

from __future__ import annotations

import hashlib
import json
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from release.conftest import _no_long_waits, docker_config, registry, repository  # noqa: F401
from release.registries import _Quiet, _serving
from release.test_registry import put_image


def git(folder: Path, *words: str) -> str:
    return subprocess.run(
        ["git", "-c", "user.name=t", "-c", "user.email=t@t", "-C", folder, *words],
        check=True,
        capture_output=True,
        text=True,
    ).stdout.strip()


def commit(folder: Path, text: str) -> str:
    (folder / "file").write_text(text)
    git(folder, "add", "file")
    git(folder, "commit", "-q", "-m", text)
    return git(folder, "rev-parse", "HEAD")


@dataclass
class Index:
    """A Python index with the simple API in JSON, and snapshots of Debian beside it."""

    url: str = ""
    projects: dict[str, list[dict[str, object]]] = field(default_factory=dict)
    snapshot: str = "20261101T000000Z"
    fail: int = 0
    retry_after: str = "0"

    def add(self, project: str, version: str, *, requires_python: str = ">=3.8", tag: str = "py3-none-any") -> None:
        filename = f"{project}-{version}-{tag}.whl"
        self.projects.setdefault(project, []).append(
            {
                "filename": filename,
                "url": f"{self.url}/{filename}",
                "hashes": {"sha256": hashlib.sha256(filename.encode()).hexdigest()},
                "requires-python": requires_python,
                "yanked": False,
            }
        )


@pytest.fixture
def index() -> Iterator[Index]:
    served = Index()

    class Handler(_Quiet):
        def do_HEAD(self) -> None:  # noqa: N802
            if served.snapshot in self.path:
                self.send_response(200)
            else:
                self.send_response(302)
                self.send_header("Location", f"/archive/debian/{served.snapshot}/")
            self.send_header("Content-Length", "0")
            self.end_headers()

        def do_GET(self) -> None:  # noqa: N802
            name = self.path.strip("/").rpartition("/")[2]
            known = name in served.projects
            status = 503 if served.fail else 200 if known else 404
            served.fail = max(0, served.fail - 1)
            files = served.projects.get(name, [])
            body = json.dumps({"meta": {"api-version": "1.0"}, "name": name, "files": files}).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/vnd.pypi.simple.v1+json")
            if status == 503:
                self.send_header("Retry-After", served.retry_after)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    with _serving(Handler) as port:
        served.url = f"http://127.0.0.1:{port}"
        yield served


@dataclass
class Upstream:
    """A matrix and all that it names."""

    file: Path
    aiter: Path
    registry: str
    index: Index

    @property
    def lock(self) -> Path:
        return self.file.with_name("images.lock.yaml")

    def push_base(self, content: bytes) -> str:
        return put_image(repository(self.registry, "rocm/base"), "7.2", content).digest

    def replace(self, old: str, new: str) -> None:
        text = self.file.read_text()
        assert old in text
        self.file.write_text(text.replace(old, new))


@pytest.fixture
def upstream(
    tmp_path: Path,
    registry: str,  # noqa: F811
    index: Index,
    monkeypatch: pytest.MonkeyPatch,
) -> Upstream:
    kernels = tmp_path / "upstream" / "aiter"
    kernels.mkdir(parents=True)
    git(kernels, "init", "-q", "-b", "main")
    commit(kernels, "one")
    git(kernels, "tag", "-a", "-m", "release", "v1.0")
    commit(kernels, "two")
    project = tmp_path / "project"
    project.mkdir()
    (project / "images.yaml").write_text(
        f"""\
defaults:
  network: {{pip_index_url: "{index.url}/simple/", git_mirrors: {{"https://github.com/ROCm/": "file://{kernels.parent}/"}}}}
targets:
  base:
    image: test/base
    gpu_archs: [gfx942]
    tags: ["{{version}}-base-{{alias}}"]
    base: {{rootfs: {{snapshot: "{index.url}/archive/debian"}}}}
  app:
    image: test/app
    gpu_archs: [gfx942, gfx950]
    base: {registry}/rocm/base:7.2
    common_pip: {{cmake: <4}}
    components:
      aiter: {{repo: https://github.com/ROCm/aiter, ref: v1.0}}
"""
    )
    for version in ("3.30.0", "3.31.0", "4.0.0"):
        index.add("cmake", version)
    found = Upstream(project / "images.yaml", kernels, registry, index)
    found.push_base(b"one")
    monkeypatch.chdir(project)
    return found
