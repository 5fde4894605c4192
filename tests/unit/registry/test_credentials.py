"""Whose name and password a registry gets."""

from __future__ import annotations

import base64
import json
import stat
from pathlib import Path
from typing import Any

import pytest
import requests

from rocmimg.engine.credentials import Credentials, credentials
from rocmimg.errors import ConfigError, RegistryDenied, RegistryError
from rocmimg.registry.auth import Authorizer

WRITER = Credentials(username="writer", secret="s3cret")


@pytest.fixture
def docker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    return tmp_path


def write(folder: Path, **config: Any) -> None:
    (folder / "config.json").write_text(json.dumps(config))


def pair(user: str, password: str) -> str:
    return base64.b64encode(f"{user}:{password}".encode()).decode()


def test_none_without_a_configuration_or_for_another_host(docker: Path) -> None:
    assert credentials("r.example") is None
    write(docker, auths={"r.example": {"auth": pair("writer", "s3cret")}})
    assert credentials("other.example") is None


def test_a_password_of_the_configuration(docker: Path) -> None:
    write(docker, auths={"r.example:5000": {"auth": pair("writer", "s3:cret")}})
    found = credentials("r.example:5000")
    assert found == Credentials(username="writer", secret="s3:cret")
    assert "s3:cret" not in repr(found)


def test_the_hub_has_a_name_of_its_own(docker: Path) -> None:
    write(docker, auths={"https://index.docker.io/v1/": {"auth": pair("writer", "s3cret")}})
    assert credentials("docker.io") == WRITER


def test_an_identity_token(docker: Path) -> None:
    write(docker, auths={"r.example": {"auth": pair("00000000", ""), "identitytoken": "refresh"}})
    assert credentials("r.example") == Credentials(username="", secret="refresh")


def test_a_credential_helper(docker: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    helper = docker / "docker-credential-test"
    helper.write_text('#!/bin/sh\nread host\necho "{\\"Username\\":\\"writer\\",\\"Secret\\":\\"s3cret\\"}"\n')
    helper.chmod(helper.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{docker}:/usr/bin:/bin")
    write(docker, credHelpers={"r.example": "test"})
    assert credentials("r.example") == WRITER
    helper.write_text("#!/bin/sh\nexit 1\n")
    with pytest.raises(ConfigError, match=r"credential helper for r\.example fails"):
        credentials("r.example")


class TokenServer:
    """Remembers what it was sent and answers with a token."""

    def __init__(self, status: int = 200, body: str = '{"access_token": "abc"}') -> None:
        self.sent: list[tuple[str, str, dict[str, Any]]] = []
        self._status, self._body = status, body

    def __call__(self, method: str, url: str, **arguments: Any) -> requests.Response:
        self.sent.append((method, url, arguments))
        response = requests.Response()
        response.status_code = self._status
        response._content = self._body.encode()
        return response


def bearer(realm: str = "https://auth.example/token") -> str:
    return f'Bearer realm="{realm}",service="r.example"'


def test_a_token_is_asked_for_with_every_scope_and_used_again() -> None:
    server = TokenServer()
    authorizer = Authorizer("r.example", WRITER, server)
    scope = "repository:a:pull,push repository:b:pull"
    assert authorizer.authorize(bearer(), scope, None) == "Bearer abc"
    ((method, url, sent),) = server.sent
    assert (method, url, sent["auth"]) == ("GET", "https://auth.example/token", ("writer", "s3cret"))
    assert sent["params"]["scope"] == ["repository:a:pull,push", "repository:b:pull"]
    assert authorizer.header(scope) == "Bearer abc"
    assert authorizer.authorize(bearer(), scope, None) == "Bearer abc"  # another thread was faster
    assert len(server.sent) == 1


def test_an_identity_token_is_exchanged() -> None:
    server = TokenServer()
    Authorizer("r.example", Credentials(username="", secret="refresh"), server).authorize(bearer(), "s", None)
    ((method, _, sent),) = server.sent
    assert method == "POST"
    assert sent["data"]["grant_type"] == "refresh_token"
    assert sent["data"]["refresh_token"] == "refresh"


@pytest.mark.parametrize("realm", ["http://auth.example/token", "file:///etc/passwd", ""])
def test_a_password_goes_to_no_server_without_tls(realm: str) -> None:
    server = TokenServer()
    with pytest.raises(RegistryError, match="no token server that credentials could be sent to"):
        Authorizer("r.example", WRITER, server).authorize(bearer(realm), "s", None)
    assert server.sent == []


def test_what_a_token_server_may_answer() -> None:
    with pytest.raises(RegistryDenied, match="refuses the credentials"):
        Authorizer("r.example", WRITER, TokenServer(401)).authorize(bearer(), "s", None)
    with pytest.raises(RegistryDenied, match="wants credentials"):
        Authorizer("r.example", None, TokenServer(401)).authorize(bearer(), "s", None)
    with pytest.raises(RegistryError, match="answers 500"):
        Authorizer("r.example", WRITER, TokenServer(500)).authorize(bearer(), "s", None)
    with pytest.raises(RegistryError, match="sends no token"):
        Authorizer("r.example", WRITER, TokenServer(200, "[]")).authorize(bearer(), "s", None)
    with pytest.raises(RegistryError, match="asks for negotiate"):
        Authorizer("r.example", WRITER, TokenServer()).authorize("Negotiate", "s", None)
