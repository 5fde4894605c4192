from __future__ import annotations

import errno
import socket
from pathlib import Path

import pytest

from rocmimg.engine import StepFailed
from rocmimg.engine.client import Engine, split_ref
from rocmimg.engine.endpoint import Endpoint
from rocmimg.engine.failure import build_failed, is_disk_full, pull_failed
from rocmimg.errors import BaseImageError, DiskFullError, EngineError


def test_a_failed_step_names_itself_and_its_exit_code() -> None:
    message = 'process "/bin/sh -c make" did not complete successfully: exit code: 2'
    error = build_failed(message, step="[aiter 3/7] RUN make   -j", log=("a", "b"))
    assert isinstance(error, StepFailed)
    assert (error.step_exit_code, error.log) == (2, ("a", "b"))
    assert str(error) == "[aiter 3/7] RUN make -j failed; exit code 2"
    assert error.exit_code == 7


@pytest.mark.parametrize(
    "message",
    [
        "write /var/lib/docker/overlay2/x: no space left on device",
        "mkdir /x: disk quota exceeded",
        OSError(errno.ENOSPC, "No space left on device"),
    ],
)
def test_a_full_disk_is_seen(message: str | OSError) -> None:
    assert is_disk_full(message)
    assert isinstance(build_failed(str(message)), DiskFullError)


def test_a_full_disk_is_seen_in_the_steps_own_words() -> None:
    log = ("tar: x: Cannot write: No space left on device",)
    assert isinstance(build_failed("exit code: 2", step="[1/2] RUN tar", log=log), DiskFullError)
    assert isinstance(build_failed("exit code: 2", step="[1/2] RUN tar", log=("all well",)), StepFailed)


@pytest.mark.parametrize(
    ("step", "message"),
    [
        ("[internal] load metadata for docker.io/rocm/x:1", "docker.io/rocm/x:1: not found"),
        (
            "STEP 1/2: FROM rocm/x:1",
            "creating build container: initializing source docker://rocm/x:1: reading manifest",
        ),
    ],
)
def test_a_missing_base_is_a_base_image_error(step: str, message: str) -> None:
    error = build_failed(message, step=step)
    assert isinstance(error, BaseImageError)
    assert "rocm/x:1" in str(error)


@pytest.mark.parametrize(
    ("message", "advice"),
    [
        ("pull access denied for rocm/x, repository does not exist or may require 'docker login'", "docker login"),
        ("dial tcp: lookup registry-1.docker.io: no such host", "cannot reach"),
        ("manifest for rocm/x:1 not found: manifest unknown", "the tag"),
        ("tls: failed to verify certificate: x509: certificate signed by unknown authority", "certs.d"),
        ("http: server gave HTTP response to HTTPS client", "insecure-registries"),
    ],
)
def test_a_failed_pull_says_what_to_do(message: str, advice: str) -> None:
    assert advice in pull_failed("rocm/x:1", message).next_step


@pytest.mark.parametrize(
    ("ref", "parts"),
    [
        ("name", ("name", None)),
        ("name:tag", ("name", "tag")),
        ("host:5000/name", ("host:5000/name", None)),
        ("host:5000/a/b:t", ("host:5000/a/b", "t")),
    ],
)
def test_a_port_is_no_tag(ref: str, parts: tuple[str, str | None]) -> None:
    assert split_ref(ref) == parts


def refusal(url: str) -> EngineError:
    with pytest.raises(EngineError) as caught:
        Engine(Endpoint(url=url, source="DOCKER_HOST"))
    return caught.value


def test_no_socket_means_none_installed_or_running(tmp_path: Path) -> None:
    error = refusal(f"unix://{tmp_path}/none.sock")
    assert "no such socket" in error.why
    assert "setup-engine.sh" in error.next_step
    assert error.exit_code == 5


def test_a_socket_that_nobody_listens_on_means_not_running(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(f"{tmp_path}/dead.sock")
    assert "nothing listens" in refusal(f"unix://{tmp_path}/dead.sock").why


def test_a_refused_port_means_not_running() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    assert "nothing listens" in refusal(f"tcp://127.0.0.1:{port}").why


def test_an_unknown_scheme_is_told() -> None:
    assert "DOCKER_HOST" in refusal("gopher://x").next_step
