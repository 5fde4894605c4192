from __future__ import annotations

import errno
import socket
import threading
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
    ("message", "why"),
    [
        ('process "/bin/sh -c exit status 9; exit 2" did not complete successfully: exit code: 2', 2),
        ("failed to build LLB: executor failed running [/bin/sh -c make\n -j]: exit code: 42", 42),
        ('building at STEP "RUN make": while running runtime: exit status 7\n', 7),
        ('error building at STEP "RUN make": error while running runtime: exit status 7', 7),
        ("The command '/bin/sh -c make' returned a non-zero code: 3", 3),
    ],
)
def test_a_command_that_failed_has_its_exit_code_for_a_reason(message: str, why: int) -> None:
    error = build_failed(message, step="[2/2] RUN make")
    assert isinstance(error, StepFailed)
    assert (error.why, error.step_exit_code) == (f"exit code {why}", why)


@pytest.mark.parametrize(
    "reason",
    [
        "creating build container: mount /x: fuse: failed to open /dev/fuse: Permission denied: exit status 1",
        'process "/bin/sh" did not complete successfully: failed to create task: runc failed: exit status 1: unknown',
        "exit status 125",
        'process "/bin/sh -c x" did not complete successfully: exit code: 137: cannot allocate memory',
        "committing container: writing blob: exit code: 3 of the storage helper",
    ],
)
def test_another_reason_is_never_shortened_to_an_exit_code(reason: str) -> None:
    error = build_failed(reason, step="[1/2] FROM scratch")
    assert isinstance(error, StepFailed)
    assert error.why == reason
    assert error.step_exit_code is None


def test_a_runtime_that_cannot_start_the_step_says_why() -> None:
    said = (
        'error running container: from /usr/bin/runc creating container for [/bin/sh]: msg="runc create failed: EPERM"'
    )
    error = build_failed(
        'building at STEP "RUN x": while running runtime: exit status 1',
        step="[2/2] RUN x",
        log=("", said, ": exit status 1"),
    )
    assert isinstance(error, StepFailed)
    assert error.why == said
    assert error.step_exit_code is None


def test_of_a_long_reason_the_end_is_kept() -> None:
    error = build_failed("outermost: " + "layer: " * 200 + "the true reason", step="[1/2] RUN x")
    assert isinstance(error, StepFailed)
    assert error.why.startswith("outermost: ")
    assert error.why.endswith(": the true reason")
    assert len(error.why) < 450


@pytest.mark.parametrize(
    ("line", "key"),
    [
        ("failed to create network endpoint: could not find bridge docker0", "network.engine_mode=host"),
        ("network bridge not found", "network.engine_mode=host"),
        ("curl: (6) Could not resolve host: pypi.org", "network.engine_mode=host"),
        ("fatal: unable to access 'https://x/': Could not resolve proxy: p", "network.https_proxy"),
        ("  Temporary failure resolving 'deb.debian.org'", "network.engine_mode=host"),
        ("socket.gaierror: [Errno -3] Temporary failure in name resolution", "network.engine_mode=host"),
        (
            "ERROR: Failed to establish a new connection: [Errno -2] Name or service not known",
            "network.engine_mode=host",
        ),
        (
            "ssl.SSLCertVerificationError: [SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed",
            "network.ca_bundle",
        ),
        ("curl: (60) SSL certificate problem: self-signed certificate in certificate chain", "network.ca_bundle"),
        ("fatal: unable to access 'https://x/': server certificate verification failed.", "network.ca_bundle"),
        ("Err: Certificate verification failed: The certificate is NOT trusted.", "network.ca_bundle"),
        (
            "curl: (7) Failed to connect to pypi.org port 443 after 3 ms: Could not connect to server",
            "network.https_proxy",
        ),
        ("curl: (28) Connection timed out after 30001 milliseconds", "network.https_proxy"),
        ("Failed to establish a new connection: [Errno 101] Network is unreachable", "network.https_proxy"),
    ],
)
def test_a_failure_of_the_network_names_doctor_and_the_key_that_helps(line: str, key: str) -> None:
    error = build_failed(
        'process "x" did not complete successfully: exit code: 1', step="[2/2] RUN x", log=("a", line, "b")
    )
    assert "rocmimg doctor" in error.next_step
    assert key in error.next_step
    alone = build_failed(line, step="[2/2] RUN x")
    assert key in alone.next_step


@pytest.mark.parametrize(
    "line",
    [
        "E   AssertionError: assert 'name resolution' in names",
        "tests/test_ssl.py::test_certificate PASSED",
        "error: ld returned 1 exit status: connection.o not found",
        "redis: connection refused",
    ],
)
def test_another_failure_does_not_blame_the_network(line: str) -> None:
    assert not build_failed("exit code: 1", step="[2/2] RUN x", log=(line,)).next_step


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


@pytest.mark.parametrize(
    "answer",
    [b"HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n", b""],
    ids=["dockerd", "hangs up"],
)
def test_plain_http_to_a_tls_port_names_the_variable(answer: bytes) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            link, _ = server.accept()
            with link:
                link.recv(1000)
                link.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        error = refusal(f"tcp://127.0.0.1:{server.getsockname()[1]}")
        thread.join()
    assert "DOCKER_TLS_VERIFY" in error.next_step
