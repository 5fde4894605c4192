"""docs/ten-minutes.md, run as it stands: the wheel alone, the lab's base, a registry on loopback, and back."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import time
from pathlib import Path

import pytest
import yaml

from rocmimg.engine.client import Engine

PAGE = (Path(__file__).parents[3] / "docs/ten-minutes.md").read_text(encoding="utf-8")
BLOCK = re.compile(r"```(\w+)\n(.*?)```", re.DOTALL)
REGISTRY = "docker run "


def blocks() -> list[tuple[str, str]]:
    return BLOCK.findall(PAGE)


def written() -> dict[str, str]:
    """The files that the page has: each block names its own in its first line."""
    found = {}
    for language, text in blocks():
        if language != "sh":
            first, _, rest = text.partition("\n")
            found[first.lstrip("#/ ")] = rest
    return found


class Reader:
    """Somebody who does what the page says, and notes how each line ended."""

    def __init__(self, folder: Path, environment: Path, host: str, cache: Path) -> None:
        self.folder, self.host = folder, host
        self.env = {
            **{name: os.environ[name] for name in ("DOCKER_HOST", "HOME") if name in os.environ},
            "PATH": f"{environment / 'bin'}:/usr/bin:/bin",
            "ROCMIMG_CACHE": str(cache),
        }
        self.said: dict[str, subprocess.CompletedProcess[str]] = {}

    def do(self, line: str) -> None:
        if line.startswith("export ROCMIMG_"):
            name, _, value = line.removeprefix("export ").partition("=")
            self.env[name] = value
            return
        done = subprocess.run(
            ["/bin/sh", "-c", line.replace("localhost:5000", self.host)],
            cwd=self.folder, env=self.env, capture_output=True, text=True, timeout=500, check=False,
        )  # fmt: skip
        self.said[line] = done
        expected = 15 if line == "rocmimg promote --target hello" else 0
        assert done.returncode == expected, f"{line}\n{done.stdout}\n{done.stderr}"


@pytest.fixture
def registry_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def test_two_files_are_written_by_hand() -> None:
    assert sorted(written()) == ["Dockerfile", "kernels/scale.hip"]


@pytest.mark.skipif(
    not os.environ.get("ROCMIMG_TEN_MINUTES"),
    reason="not run: it pushes a gigabyte and checks two images; `make ten-minutes`",
)
def test_the_page_does_what_it_says(
    environment: Path,
    lab: dict[str, str],
    host_engine: Engine,
    registry_port: int,
    tmp_path: Path,
    request: pytest.FixtureRequest,
) -> None:
    assert lab
    folder = tmp_path / "hello"
    for name, text in written().items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    host = f"127.0.0.1:{registry_port}"
    reader = Reader(folder, environment, host, tmp_path / "cache")
    request.addfinalizer(lambda: remove(host_engine, host))
    shell = [text for language, text in blocks() if language == "sh"]
    assert shell[0].startswith("python3 -m venv")  # the fixture has done that
    for text in shell[1:]:
        if text.startswith(REGISTRY):
            start_registry(tmp_path, registry_port, request)
            continue
        for line in text.splitlines():
            reader.do(line)
    digests = tags(host)
    assert digests["mi30x-latest"] == digests["dev-mi30x"] != digests["v2-mi30x"]
    assert "gpu: missing" in reader.said["rocmimg promote --target hello"].stderr
    assert "hello-runs" in (folder / "build/results/hello-gfx942.json").read_text()
    reader.do("rocmimg status --json")
    assert "no GPU on this machine" in reader.said["rocmimg status --json"].stdout


def tags(host: str) -> dict[str, str]:
    from rocmimg.registry import parse
    from rocmimg.registry.client import Registries

    found = Registries().repository(parse(f"{host}/hello"))
    return {tag: str(found.digest(tag)) for tag in found.tags() if tag.endswith(("mi30x", "latest"))}


def start_registry(folder: Path, port: int, request: pytest.FixtureRequest) -> None:
    """Debian's docker-registry in the place of the hub's image."""
    config = {
        "version": "0.1",
        "log": {"level": "warn"},
        "storage": {"filesystem": {"rootdirectory": str(folder / "registry")}, "delete": {"enabled": True}},
        "http": {"addr": f"127.0.0.1:{port}", "secret": "test"},
    }
    (folder / "registry.yml").write_text(yaml.safe_dump(config))
    try:
        process = subprocess.Popen(
            ["docker-registry", "serve", folder / "registry.yml"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
    except FileNotFoundError:
        pytest.skip("not run from here on: Debian's docker-registry is not installed")
    request.addfinalizer(process.wait)
    request.addfinalizer(process.terminate)
    for _ in range(600):
        time.sleep(0.05)
        with socket.socket() as probe:
            probe.settimeout(0.1)
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
    pytest.fail("docker-registry does not answer")


def remove(engine: Engine, host: str) -> None:
    for image in engine.images():
        for name in (*image.tags, *image.digests):
            if name.startswith(f"{host}/"):
                engine.remove(name, force=True)
