"""Push and pull against a real registry (Debian's docker-registry), open and with a password."""

from __future__ import annotations

import base64
import json
import shutil
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from rocmimg.engine import BuildCancelled, BuildRequest, Event, Transfer
from rocmimg.engine.client import Engine
from rocmimg.errors import BaseImageError, RegistryError

from .conftest import Started, open_engine

HOST = "localhost:5987"
USER, PASSWORD = "tester", "pass word"


@pytest.fixture(params=["open", "password"])
def registry(request: pytest.FixtureRequest, started: Started, tmp_path: Path) -> Iterator[str]:
    """Yields "open" or "password"."""
    if not shutil.which("docker-registry"):
        pytest.skip("no docker-registry here (Debian package docker-registry)")
    auth = ""
    if request.param == "password":
        if not shutil.which("htpasswd"):
            pytest.skip("no htpasswd here (Debian package apache2-utils)")
        hashed = subprocess.run(["htpasswd", "-nbB", USER, PASSWORD], capture_output=True, text=True, check=True).stdout
        (tmp_path / "htpasswd").write_text(hashed.strip() + "\n")
        auth = f"auth: {{htpasswd: {{realm: test, path: {tmp_path}/htpasswd}}}}"
    config = tmp_path / "registry.yml"
    config.write_text(
        textwrap.dedent(f"""
            version: 0.1
            log: {{level: error, accesslog: {{disabled: true}}}}
            storage: {{filesystem: {{rootdirectory: {tmp_path}/data}}}}
            http: {{addr: "127.0.0.1:5987"}}
            {auth}
        """)
    )
    process = subprocess.Popen(
        [*started.inside(), "docker-registry", "serve", config], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        probe = "import socket; socket.create_connection(('127.0.0.1', 5987), 1)"
        while subprocess.run(
            [*started.inside(), sys.executable, "-c", probe], check=False, stderr=subprocess.DEVNULL
        ).returncode:
            assert process.poll() is None, "docker-registry did not start"
            time.sleep(0.1)
        yield request.param
    finally:
        process.terminate()
        process.wait()


@pytest.fixture
def docker_config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "docker-config"
    folder.mkdir()
    monkeypatch.setenv("DOCKER_CONFIG", str(folder))
    return folder


@pytest.fixture
def image(engine: Engine, base: str) -> Iterator[str]:
    ref = f"{HOST}/rocmimg/test:pushed"
    engine.build(BuildRequest(dockerfile=f"FROM {base}\nRUN date >/when\n", tags=(ref,), no_cache=True), lambda _: None)
    yield ref
    engine.remove(ref, force=True)


def with_password(folder: Path) -> None:
    auth = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
    (folder / "config.json").write_text(json.dumps({"auths": {HOST: {"auth": auth}}}))


def with_helper(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    helper = folder / "docker-credential-rocmimgtest"
    answer = json.dumps({"ServerURL": HOST, "Username": USER, "Secret": PASSWORD})
    helper.write_text(f"#!/bin/sh\ncat >/dev/null\necho '{answer}'\n")
    helper.chmod(0o755)
    monkeypatch.setenv("PATH", str(folder), prepend=":")
    (folder / "config.json").write_text(json.dumps({"credHelpers": {HOST: "rocmimgtest"}}))


@pytest.mark.parametrize("credentials", ["auths", "credHelpers"])
def test_what_was_pushed_can_be_pulled(
    registry: str,
    started: Started,
    image: str,
    docker_config: Path,
    credentials: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if credentials == "auths":
        with_password(docker_config)
    else:
        with_helper(docker_config, monkeypatch)
    events: list[Event] = []
    with open_engine(started) as engine:
        before = engine.image(image)
        assert before is not None
        digest = engine.push(image, events.append)
        assert digest.startswith("sha256:")
        if engine.info.kind == "docker":
            assert any(isinstance(event, Transfer) and event.id and event.what == "Pushed" for event in events)
        engine.remove(image, force=True)
        assert engine.image(image) is None
        events.clear()
        assert engine.pull(image, events.append) == before.id
        after = engine.image(image)
        assert after is not None
        assert after.layers == before.layers
        assert any(one.endswith(f"@{digest}") for one in after.digests)
        assert engine.pull(f"{image.rpartition(':')[0]}@{digest}", events.append) == before.id
        assert all(isinstance(event, Transfer) for event in events)


def test_a_tag_that_the_registry_lacks_is_a_base_image_error(
    registry: str, started: Started, docker_config: Path
) -> None:
    with_password(docker_config)
    with open_engine(started) as engine, pytest.raises(BaseImageError, match="never-was") as caught:
        engine.pull(f"{HOST}/rocmimg/never-was:x", lambda _: None)
    assert "check the name" in caught.value.next_step


@pytest.mark.parametrize("registry", ["password"], indirect=True)
def test_without_the_password_the_message_says_log_in(
    registry: str, started: Started, image: str, docker_config: Path
) -> None:
    with open_engine(started) as engine:
        with pytest.raises(RegistryError, match="docker login"):
            engine.push(image, lambda _: None)
        with pytest.raises(BaseImageError, match="docker login"):
            engine.pull(f"{HOST}/rocmimg/test:x", lambda _: None)


def test_a_registry_that_is_not_there_is_told(engine: Engine, base: str) -> None:
    ref = "127.0.0.1:9/rocmimg/test:x"
    engine.tag(base, ref)
    with pytest.raises(RegistryError, match="cannot reach the registry"):
        engine.push(ref, lambda _: None)
    engine.remove(ref)
    with pytest.raises(BaseImageError, match="cannot reach the registry"):
        engine.pull(ref, lambda _: None)


@pytest.mark.parametrize("talks", [True, False], ids=["stops in its answer", "says nothing"])
def test_the_pull_from_a_registry_that_never_ends_can_be_stopped(started: Started, talks: bool) -> None:
    server = subprocess.Popen(
        [*started.inside(), sys.executable, "-c", _SILENT, str(int(talks))], stdout=subprocess.PIPE, text=True
    )
    assert server.stdout is not None
    port = server.stdout.readline().strip()
    caught: list[BaseException] = []
    try:
        with open_engine(started) as engine:

            def pull() -> None:
                try:
                    engine.pull(f"127.0.0.1:{port}/rocmimg/test:x", lambda _: None)
                except BaseException as error:
                    caught.append(error)

            thread = threading.Thread(target=pull)
            thread.start()
            assert server.stdout.readline() == "asked\n"
            engine.stop()
            thread.join(10)
            assert not thread.is_alive()
            assert isinstance(caught[0], BuildCancelled)
            with pytest.raises(BuildCancelled):
                engine.pull("rocmimg/test:x", lambda _: None)
    finally:
        server.kill()
        server.communicate()


_SILENT = """
import socket, sys, time
talks = sys.argv[1] == "1"
server = socket.create_server(("127.0.0.1", 0))
print(server.getsockname()[1], flush=True)
first, open = True, []
while True:
    link, _ = server.accept()
    open.append(link)
    if first:
        print("asked", flush=True)
        first = False
    if talks:
        link.recv(100)
        link.sendall(b"HTTP/1.1 200 OK\\r\\nContent-Length: 100\\r\\n\\r\\n{")
"""
