"""Debian's docker-registry on loopback: open, with passwords, with tokens, with TLS, on a small disk, behind faults."""

from __future__ import annotations

import base64
import contextlib
import http.client
import http.server
import json
import re
import shutil
import socket
import subprocess
import sys
import threading
import time
import urllib.parse
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import bcrypt
import jwt
import pytest
import trustme
import yaml

HOP = {"transfer-encoding", "connection"}
USERS = {"writer": "s3cret", "reader": "readonly"}


def free_port() -> int:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return int(s.getsockname()[1])


def docker_login(folder: Path, host: str, user: str = "writer", password: str | None = None) -> None:
    """What `docker login` leaves behind; DOCKER_CONFIG has to name ``folder``."""
    pair = f"{user}:{USERS[user] if password is None else password}"
    auth = base64.b64encode(pair.encode()).decode()
    folder.mkdir(exist_ok=True)
    (folder / "config.json").write_text(json.dumps({"auths": {host: {"auth": auth}}}))


@contextlib.contextmanager
def running(
    folder: Path,
    *,
    password: bool = False,
    token_server: TokenServer | None = None,
    authority: trustme.CA | None = None,
    storage: Path | None = None,
    delete: bool = True,
    inside: Sequence[str] = (),
    port: int = 0,
) -> Iterator[str]:
    """Start a registry; its host and port. ``inside`` is a command's beginning that puts it into another network."""
    program = shutil.which("docker-registry")
    if program is None:
        pytest.skip("Debian's docker-registry is not installed")
    folder.mkdir(parents=True, exist_ok=True)
    port = port or free_port()
    config: dict[str, object] = {
        "version": "0.1",
        "log": {"level": "warn", "accesslog": {"disabled": True}},
        "storage": {
            "filesystem": {"rootdirectory": str(storage or folder / "data")},
            "delete": {"enabled": delete},
            "maintenance": {"uploadpurging": {"enabled": False}},
        },
        "http": {"addr": f"127.0.0.1:{port}", "secret": "test"},
    }
    if password:
        lines = (f"{name}:{bcrypt.hashpw(word.encode(), bcrypt.gensalt(4)).decode()}" for name, word in USERS.items())
        (folder / "htpasswd").write_text("\n".join(lines))
        config["auth"] = {"htpasswd": {"realm": "test", "path": str(folder / "htpasswd")}}
    if token_server is not None:
        token_server.authority.cert_pem.write_to_path(folder / "token.pem")
        config["auth"] = {
            "token": {
                "realm": token_server.url,
                "service": "registry",
                "issuer": "test",
                "rootcertbundle": str(folder / "token.pem"),
            }
        }
    if authority is not None:
        leaf = authority.issue_cert("127.0.0.1", "localhost")
        leaf.private_key_pem.write_to_path(folder / "key.pem")
        for index, pem in enumerate(leaf.cert_chain_pems):
            pem.write_to_path(folder / "cert.pem", append=index > 0)
        config["http"] = {
            **config["http"],  # type: ignore[dict-item]
            "tls": {"certificate": str(folder / "cert.pem"), "key": str(folder / "key.pem")},
        }
    (folder / "config.yml").write_text(yaml.safe_dump(config))
    with (folder / "registry.log").open("wb") as log:
        process = subprocess.Popen([*inside, program, "serve", folder / "config.yml"], stdout=log, stderr=log)
    try:
        deadline = time.monotonic() + 20
        while True:
            if _listens(port, inside):
                break
            if process.poll() is not None or time.monotonic() > deadline:
                pytest.fail(f"docker-registry did not start:\n{(folder / 'registry.log').read_text()[-2000:]}")
            time.sleep(0.02)
        yield f"127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait()


def _listens(port: int, inside: Sequence[str]) -> bool:
    code = f"import socket; socket.create_connection(('127.0.0.1', {port}), 1)"
    if inside:
        done = subprocess.run([*inside, sys.executable, "-S", "-c", code], stderr=subprocess.DEVNULL, check=False)
        return done.returncode == 0
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
        return True
    return False


class _Quiet(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        pass


@contextlib.contextmanager
def _serving(handler: type[http.server.BaseHTTPRequestHandler]) -> Iterator[int]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()


@dataclass
class TokenServer:
    """Signs tokens as the registry's documentation asks for: `reader` may not push."""

    authority: trustme.CA = field(default_factory=trustme.CA)
    lifetimes_s: list[float] = field(default_factory=list)
    """Of the next tokens; 300 afterwards."""
    issued: int = 0
    url: str = ""

    def __post_init__(self) -> None:
        self._leaf = self.authority.issue_cert("token.test")

    def token(self, user: str, scopes: list[str]) -> str:
        self.issued += 1
        now = time.time()
        access = []
        for scope in scopes:
            kind, name, actions = scope.split(":")
            allowed = [a for a in actions.split(",") if user == "writer" or a == "pull"]
            access.append({"type": kind, "name": name, "actions": allowed})
        claims = {
            "iss": "test",
            "aud": "registry",
            "sub": user,
            "nbf": int(now) - 600,
            "exp": int(now + (self.lifetimes_s.pop(0) if self.lifetimes_s else 300)),
            "iat": int(now),
            "jti": str(self.issued),
            "access": access,
        }
        chain = [base64.b64encode(_der(pem.bytes())).decode() for pem in self._leaf.cert_chain_pems]
        key = self._leaf.private_key_pem.bytes()
        algorithm = "ES256" if b"EC PRIVATE" in key else "RS256"
        return jwt.encode(claims, key, algorithm=algorithm, headers={"x5c": chain})

    @contextlib.contextmanager
    def running(self) -> Iterator[TokenServer]:
        outer = self

        class Handler(_Quiet):
            def do_GET(self) -> None:
                query = urllib.parse.parse_qs(urllib.parse.urlsplit(self.path).query)
                scheme, _, given = self.headers.get("Authorization", "").partition(" ")
                user, _, word = base64.b64decode(given).decode().partition(":") if scheme == "Basic" else ("", "", "")
                good = USERS.get(user) == word and bool(user)
                body = json.dumps({"token": outer.token(user, query.get("scope", []))} if good else {}).encode()
                self.send_response(200 if good else 401)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

        with _serving(Handler) as port:
            self.url = f"http://127.0.0.1:{port}/token"
            yield self


def _der(pem: bytes) -> bytes:
    lines = [line for line in pem.decode().splitlines() if line and "-----" not in line]
    return base64.b64decode("".join(lines))


@dataclass
class Fault:
    """What happens to requests of ``method`` whose path matches, ``times`` times."""

    method: str
    path: str
    times: int = 1
    status: int = 0
    """Answered instead of the registry; 0 cuts the connection in the middle of the body."""
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    after: bool = False
    """Let the registry do its work first and lose only the answer."""
    hits: int = 0


@dataclass
class FaultyProxy:
    """A registry behind a bad network."""

    upstream: str
    host: str = ""
    faults: list[Fault] = field(default_factory=list)
    seen: list[str] = field(default_factory=list)
    delay_s: float = 0.0

    def fault(self, method: str, path: str) -> Fault | None:
        for fault in self.faults:
            if fault.hits < fault.times and fault.method == method and re.search(fault.path, path):
                fault.hits += 1
                return fault
        return None

    @contextlib.contextmanager
    def running(self) -> Iterator[FaultyProxy]:
        outer = self

        class Handler(_Quiet):
            def _body(self) -> bytes:
                if self.headers.get("Transfer-Encoding", "").lower() == "chunked":
                    parts = []
                    while size := int(self.rfile.readline().split(b";")[0], 16):
                        parts.append(self.rfile.read(size))
                        self.rfile.readline()
                    self.rfile.readline()
                    return b"".join(parts)
                return self.rfile.read(int(self.headers.get("Content-Length") or 0))

            def handle_any(self) -> None:
                outer.seen.append(f"{self.command} {self.path}")
                time.sleep(outer.delay_s)
                fault = outer.fault(self.command, self.path)
                if fault and not fault.status and not fault.after and self.command in ("PUT", "PATCH", "POST"):
                    self._hang_up()  # in the middle of an upload
                    return
                body = self._body()
                if fault and fault.status and not fault.after:
                    self._answer(fault.status, dict(fault.headers), fault.body)
                    return
                link = http.client.HTTPConnection(outer.upstream)
                headers = {
                    k: v for k, v in self.headers.items() if k.lower() not in ("transfer-encoding", "connection")
                }
                if body:
                    headers["Content-Length"] = str(len(body))
                link.request(self.command, self.path, body=body or None, headers=headers)
                answer = link.getresponse()
                content = answer.read()
                link.close()
                if fault and fault.status:
                    self._answer(fault.status, dict(fault.headers), fault.body)
                    return
                kept = {k: v for k, v in answer.getheaders() if k.lower() not in HOP}
                if fault:  # in the middle of a download
                    self._answer(answer.status, kept, content[: len(content) // 2])
                    self._hang_up()
                    return
                self._answer(answer.status, kept, content)

            def _answer(self, status: int, headers: dict[str, str], body: bytes) -> None:
                self.send_response(status)
                for name, value in headers.items():
                    if name.lower() not in ("date", "server"):
                        self.send_header(name, value)
                if "content-length" not in {name.lower() for name in headers}:
                    self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(body)

            def _hang_up(self) -> None:
                self.wfile.flush()
                self.close_connection = True
                with contextlib.suppress(OSError):
                    self.connection.shutdown(socket.SHUT_RDWR)

        for method in ("GET", "HEAD", "PUT", "POST", "PATCH", "DELETE"):
            setattr(Handler, f"do_{method}", Handler.handle_any)
        with _serving(Handler) as port:
            self.host = f"127.0.0.1:{port}"
            yield self


@contextlib.contextmanager
def small_disk(folder: Path, size: str) -> Iterator[Path]:
    """A file system of ``size``, as root."""
    folder.mkdir(parents=True)
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "rocmimg-release-test", folder], check=False)
    if done.returncode:
        pytest.skip("a small file system needs root")
    try:
        yield folder
    finally:
        subprocess.run(["umount", folder], check=True)
