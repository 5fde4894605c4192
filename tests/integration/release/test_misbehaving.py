# ruff: noqa: SIM117
"""Registries, indexes and git servers that send what nobody asked for, too much of it, or nothing at all."""

from __future__ import annotations

import base64
import contextlib
import gzip
import json
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from release.conftest import repository
from release.registries import _Quiet, _serving, docker_login
from rocmimg import git
from rocmimg.errors import RegistryDenied, RegistryError, SourceError
from rocmimg.lock import git as lock_git
from rocmimg.matrix.model import Network
from rocmimg.registry import http as registry_http
from rocmimg.registry import transport
from rocmimg.registry.client import Repository
from rocmimg.registry.http import retrying_session

DIGEST = f"sha256:{'0' * 64}"
Answer = Callable[[Any], None]


@contextlib.contextmanager
def serving(answer: Answer) -> Iterator[tuple[str, list[tuple[str, str]]]]:
    """A server that answers everything by ``answer(handler)``; its host, and (path, Authorization) of what it got."""
    seen: list[tuple[str, str]] = []

    class Handler(_Quiet):
        def handle_any(self) -> None:
            seen.append((self.path, self.headers.get("Authorization", "")))
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            with contextlib.suppress(OSError):
                answer(self)

    for method in ("GET", "HEAD", "PUT", "POST", "DELETE"):
        setattr(Handler, f"do_{method}", Handler.handle_any)
    with _serving(Handler) as port:
        yield f"127.0.0.1:{port}", seen


def send(handler: Any, status: int = 200, body: bytes = b"", **headers: str) -> None:
    handler.send_response(status)
    for name, value in {"Content_Length": str(len(body)), **headers}.items():
        handler.send_header(name.replace("_", "-"), value)
    handler.end_headers()
    if handler.command != "HEAD":
        handler.wfile.write(body)


READS: list[Callable[[Repository], Any]] = [
    lambda repo: repo.tags(),
    lambda repo: repo.manifest("v1"),
    lambda repo: repo.blob(DIGEST),
    lambda repo: repo.referrers(DIGEST),
    lambda repo: repo.artifact("v1", "application/x"),
]
BODIES = [
    b"<html><body>Please log in to the hotel's network</body></html>",
    b"",
    b"[]",
    b"null",
    b'"text"',
    b"[" * 100_000,
    b'{"tags": 7, "manifests": 7, "layers": 7, "config": 7}',
    b'{"tags": [1, null], "manifests": [7], "layers": [7], "config": []}',
    b'{"manifests": [{"digest": 1, "size": "x"}], "config": {"digest": "x", "size": "x"}}',
    b'{"artifactType": "application/x", "layers": [{}]}',
    b'{"artifactType": "application/x", "layers": [{"digest": "../../x"}]}',
    b"\xff\xfe\x00",
]


@pytest.mark.parametrize("body", BODIES)
def test_what_is_not_what_was_asked_for_is_an_error_of_ours(body: bytes, docker_config: Path) -> None:
    with serving(lambda handler: send(handler, body=body, Content_Type="application/vnd.oci.image.index.v1+json")) as (
        host,
        _,
    ):
        for read in READS:
            with contextlib.suppress(RegistryError):
                read(repository(host))


def test_a_page_instead_of_json_is_named(docker_config: Path) -> None:
    page = b"<html>log in</html>"
    with (
        serving(lambda handler: send(handler, body=page, Content_Type="text/html; charset=utf-8")) as (host, _),
        pytest.raises(RegistryError, match=r"cannot list the tags.*text/html, not a JSON object: '<html>log in"),
    ):
        repository(host).tags()


def endless(handler: Any) -> None:
    handler.send_response(200)
    handler.end_headers()
    handler.close_connection = True
    while True:
        handler.wfile.write(b" " * 65536)


def dripping(handler: Any) -> None:
    handler.send_response(200)
    handler.send_header("Content-Length", "1000000")
    handler.end_headers()
    while True:
        handler.wfile.write(b" ")
        handler.wfile.flush()
        time.sleep(0.01)


def bomb(handler: Any) -> None:
    body = gzip.compress(b" " * 64 * 1024 * 1024, mtime=0)
    send(handler, body=body, Content_Encoding="gzip")


@pytest.mark.parametrize("answer", [endless, dripping, bomb])
@pytest.mark.parametrize("read", READS[:4])
def test_a_body_without_end_is_left(
    answer: Answer, read: Callable[[Repository], Any], docker_config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(registry_http, "BODY_S", 0.3)
    for name in ("BLOB_LIMIT", "DOCUMENT_LIMIT"):
        monkeypatch.setattr(transport, name, 1024 * 1024)
    monkeypatch.setattr("rocmimg.registry.client.BLOB_LIMIT", 1024 * 1024)
    monkeypatch.setitem(transport.Transport.call.__kwdefaults__, "limit", 1024 * 1024)
    with serving(answer) as (host, _), pytest.raises(RegistryError, match="answers without end"):
        read(repository(host))


@pytest.mark.parametrize("answer", [endless, dripping])
def test_what_the_lock_asks_is_bounded_as_well(answer: Answer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry_http, "BODY_S", 0.3)
    monkeypatch.setattr(registry_http, "LIMIT", 1024 * 1024)
    with serving(answer) as (host, _), pytest.raises(registry_http.BodyError):
        retrying_session().get(f"http://{host}/simple/x/", timeout=5)


def test_pages_that_come_round_again(docker_config: Path) -> None:
    def answer(handler: Any) -> None:
        send(handler, body=b'{"tags": ["a", "b"]}', Link='</v2/lab/kernels/tags/list?n=1000>; rel="next"')

    with serving(answer) as (host, seen), pytest.raises(RegistryError, match="pages come round again"):
        repository(host).tags()
    assert len(seen) <= 4


def test_empty_pages_without_end(docker_config: Path) -> None:
    def answer(handler: Any) -> None:
        send(handler, body=b'{"tags": []}', Link=f'</v2/lab/kernels/tags/list?last={time.monotonic_ns()}>; rel="next"')

    with serving(answer) as (host, _), pytest.raises(RegistryError, match="pages come round again"):
        repository(host).tags()


def challenge(handler: Any, realm: str) -> None:
    send(handler, 401, WWW_Authenticate=f'Bearer realm="{realm}",service="x"')


def test_no_host_that_the_registry_leads_to_gets_our_password(docker_config: Path) -> None:
    """The registry leads elsewhere; that host asks for a token of a third one."""
    token = json.dumps({"token": "t"}).encode()
    with serving(lambda handler: send(handler, body=token)) as (third, at_third):
        with serving(lambda handler: challenge(handler, f"http://{third}/token")) as (second, at_second):

            def leads_away(handler: Any) -> None:
                if handler.headers.get("Authorization"):
                    send(handler, 307, Location=f"http://{second}/elsewhere")
                else:
                    send(handler, 401, WWW_Authenticate='Basic realm="x"')

            with serving(leads_away) as (host, _):
                docker_login(docker_config, host)
                for read in READS[:4]:
                    with pytest.raises(RegistryError):
                        read(repository(host))
        assert at_second
        assert {authorization for _, authorization in at_second} == {""}
        assert at_third == []


@pytest.mark.parametrize("kind", ["Link", "Location"])
def test_another_host_of_a_link_or_an_upload_gets_nothing(kind: str, docker_config: Path) -> None:
    with serving(lambda handler: challenge(handler, "http://127.0.0.1:1/token")) as (second, at_second):

        def answer(handler: Any) -> None:
            if not handler.headers.get("Authorization"):
                send(handler, 401, WWW_Authenticate='Basic realm="x"')
            elif handler.command == "GET":
                send(handler, body=b'{"tags": ["a"]}', Link=f'<http://{second}/next>; rel="next"')
            elif handler.command == "HEAD":
                send(handler, 404)
            else:
                send(handler, 202, Location=f"http://{second}/upload")

        with serving(answer) as (host, _):
            docker_login(docker_config, host)
            with pytest.raises(RegistryError):
                repository(host).tags() if kind == "Link" else repository(host).put_blob(b"x")
    assert {authorization for _, authorization in at_second} == {""}


def test_a_token_server_that_redirects_does_not_pass_the_password_on(docker_config: Path) -> None:
    with serving(lambda handler: send(handler, body=b'{"token": "t"}')) as (third, at_third):
        with serving(lambda handler: send(handler, 307, Location=f"http://{third}/token")) as (tokens, _):
            with serving(lambda handler: challenge(handler, f"http://{tokens}/token")) as (host, _):
                docker_login(docker_config, host)
                with pytest.raises(RegistryError, match=r"token server.*answers 307"):
                    repository(host).tags()
    assert at_third == []


def test_a_token_server_that_sends_a_page(docker_config: Path) -> None:
    with serving(lambda handler: send(handler, body=b"<html>")) as (tokens, _):
        with serving(lambda handler: challenge(handler, f"http://{tokens}/token")) as (host, _):
            docker_login(docker_config, host)
            with pytest.raises(RegistryError, match="sends no token"):
                repository(host).tags()


def test_redirects_in_a_circle_and_to_places_without_encryption(docker_config: Path) -> None:
    with serving(lambda handler: send(handler, 302, Location="/v2/again")) as (host, seen):
        with pytest.raises(RegistryError, match="redirects more than 5 times"):
            repository(host).manifest("v1")
    assert len(seen) < 10
    for location in ("http://registry.example/x", "ftp://127.0.0.1/x", "file:///etc/passwd", "http://[::1/x"):
        with serving(lambda handler, to=location: send(handler, 302, Location=to)) as (host, _):  # type: ignore[misc]
            with pytest.raises(RegistryError, match=r"not encrypted|an address that is none"):
                repository(host).manifest("v1")


def test_a_redirect_with_an_endless_body(docker_config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry_http, "BODY_S", 0.3)

    def answer(handler: Any) -> None:
        handler.send_response(307)
        handler.send_header("Location", "/v2/again")
        handler.end_headers()
        handler.close_connection = True
        while True:
            handler.wfile.write(b" " * 65536)

    with serving(answer) as (host, _), pytest.raises(RegistryError, match="answers without end"):
        repository(host).manifest("v1")


@pytest.mark.parametrize("head", ["drips", "continues"])
def test_an_answer_that_does_not_begin_is_left(head: str, docker_config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A header byte by byte, and "100 Continue" for ever: each read comes back in time, and the head never ends."""
    monkeypatch.setattr(registry_http, "BODY_S", 0.5)
    asked: list[str] = []

    def answer(handler: Any) -> None:
        asked.append(handler.path)
        handler.close_connection = True
        handler.wfile.write(b"HTTP/1.1 200 OK\r\nX: " if head == "drips" else b"")
        with contextlib.suppress(OSError):
            while True:
                handler.wfile.write(b"x" if head == "drips" else b"HTTP/1.1 100 Continue\r\n\r\n")
                handler.wfile.flush()
                time.sleep(0.01)

    with serving(answer) as (host, _), pytest.raises(RegistryError, match="no whole head of an answer in"):
        repository(host).manifest("v1")
    assert len(asked) == 1


def test_a_write_is_not_redirected(docker_config: Path) -> None:
    def answer(handler: Any) -> None:
        if handler.command == "HEAD":
            send(handler, 404)
        else:
            send(handler, 307, Location="/v2/other")

    with serving(answer) as (host, _), pytest.raises(RegistryError, match="sends a write to another place"):
        repository(host).put_blob(b"x")


def test_an_upload_without_an_address(docker_config: Path) -> None:
    with serving(lambda handler: send(handler, 404 if handler.command == "HEAD" else 202)) as (host, _):
        with pytest.raises(RegistryError, match="does not say where to"):
            repository(host).put_blob(b"x")


def test_a_registry_that_never_stops_asking_for_a_password(docker_config: Path) -> None:
    with serving(lambda handler: send(handler, 401, WWW_Authenticate='Basic realm="x"')) as (host, seen):
        docker_login(docker_config, host)
        with pytest.raises(RegistryDenied, match="refuses the credentials"):
            repository(host).tags()
    assert len(seen) < 6
    expected = f"Basic {base64.b64encode(b'writer:s3cret').decode()}"
    assert {authorization for _, authorization in seen} == {"", expected}


@contextlib.contextmanager
def silent() -> Iterator[str]:
    """Takes connections and says nothing."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        held: list[socket.socket] = []

        def take() -> None:
            with contextlib.suppress(OSError):
                while True:
                    held.append(server.accept()[0])

        thread = threading.Thread(target=take)
        thread.start()
        yield f"127.0.0.1:{server.getsockname()[1]}"
        server.shutdown(socket.SHUT_RDWR)
        thread.join(10)
        for connection in held:
            connection.close()


def test_a_git_server_that_never_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    """git itself has ended, and its helper that holds the connection as well."""
    monkeypatch.setattr(lock_git, "_TIMEOUT_S", 0.5)
    monkeypatch.setattr(lock_git, "_PAUSES_S", (0.0,))
    with silent() as host:
        with pytest.raises(SourceError, match=r"no answer in 0\.5 s"):
            lock_git.look_up(f"http://{host}/a.git", ["v1"], Network())
        left = subprocess.run(["pgrep", "-f", f"http://{host}/a.git"], capture_output=True, check=False).stdout
        assert left == b""


def test_variables_of_a_hook_change_no_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("mine", "other"):
        folder = tmp_path / name
        folder.mkdir()
        for words in (["init", "-q"], ["commit", "-q", "--allow-empty", "-m", name]):
            git.run(["-c", "user.name=t", "-c", "user.email=t@example.org", *words], timeout=30, folder=folder)
    head = ["rev-parse", "HEAD"]
    mine = git.run(head, timeout=30, folder=tmp_path / "mine").stdout
    assert mine != git.run(head, timeout=30, folder=tmp_path / "other").stdout
    for name, value in {
        "GIT_DIR": tmp_path / "other/.git",
        "GIT_WORK_TREE": tmp_path / "other",
        "GIT_INDEX_FILE": "/nowhere",
        "GIT_OBJECT_DIRECTORY": "/nowhere",
        "GIT_COMMON_DIR": "/nowhere",
        "GIT_NAMESPACE": "x",
        "GIT_CEILING_DIRECTORIES": tmp_path,
        "GIT_TRACE": "1",
    }.items():
        monkeypatch.setenv(name, str(value))
    done = git.run(head, timeout=30, folder=tmp_path / "mine")
    assert (done.stdout, done.stderr) == (mine, b"")
    assert git.run(["status", "--short"], timeout=30, folder=tmp_path / "mine").stdout == b""
