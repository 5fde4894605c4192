"""The engine behind TLS that demands a client certificate, named as the docker command line lets it be named."""

from __future__ import annotations

import contextlib
import hashlib
import json
import shutil
import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from rocmimg.engine import BuildRequest, ContainerSpec, connect
from rocmimg.errors import ConfigError, EngineError

from .conftest import Started


def openssl(*argv: str) -> None:
    subprocess.run(["openssl", *argv], check=True, capture_output=True)


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if not shutil.which("openssl"):
        pytest.skip("no openssl here")
    folder = tmp_path_factory.mktemp("certificates")
    key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2")
    at = {
        name: str(folder / name) for name in ("ca.pem", "ca-key.pem", "cert.pem", "key.pem", "srv.pem", "srv-key.pem")
    }
    openssl("req", "-x509", *key, "-subj", "/CN=ca", "-keyout", at["ca-key.pem"], "-out", at["ca.pem"])
    for name, cert, secret in (("client", "cert.pem", "key.pem"), ("server", "srv.pem", "srv-key.pem")):
        signed = ("-CA", at["ca.pem"], "-CAkey", at["ca-key.pem"], "-addext", "subjectAltName=IP:127.0.0.1")
        openssl("req", "-x509", *key, *signed, "-subj", f"/CN={name}", "-keyout", at[secret], "-out", at[cert])
    return folder


@pytest.fixture(scope="module")
def front(started: Started, certificates: Path) -> Iterator[int]:
    """A port that speaks TLS and hands everything on to the engine's socket."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=str(certificates / "ca.pem"))
    context.load_cert_chain(certificates / "srv.pem", certificates / "srv-key.pem")
    context.verify_mode = ssl.CERT_REQUIRED
    listener = socket.create_server(("127.0.0.1", 0))

    def pump(source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(1 << 16):
                sink.sendall(data)
        for end in (source, sink):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def serve() -> None:
        with contextlib.suppress(OSError):
            while True:
                plain, _ = listener.accept()
                threading.Thread(target=hand_on, args=(plain,), daemon=True).start()

    def hand_on(plain: socket.socket) -> None:
        with (
            plain,
            contextlib.suppress(OSError),
            context.wrap_socket(plain, server_side=True) as outside,
            socket.socket(socket.AF_UNIX) as engine,
        ):
            engine.connect(started.url.removeprefix("unix://"))
            back = threading.Thread(target=pump, args=(engine, outside), daemon=True)
            back.start()
            pump(outside, engine)
            back.join(5)

    threading.Thread(target=serve, daemon=True).start()
    yield listener.getsockname()[1]
    listener.close()


@pytest.fixture(autouse=True)
def clean(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("DOCKER_HOST", "DOCKER_CONTEXT", "DOCKER_TLS", "DOCKER_TLS_VERIFY", "DOCKER_CERT_PATH"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))


def test_environment_names_a_tls_engine(
    front: int, certificates: Path, base: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"tcp://127.0.0.1:{front}")
    monkeypatch.setenv("DOCKER_TLS_VERIFY", "1")
    monkeypatch.setenv("DOCKER_CERT_PATH", str(certificates))
    with connect() as engine:
        tag = "rocmimg-engine-test:tls"
        engine.build(BuildRequest(dockerfile=f"FROM {base}\nRUN true\n", tags=(tag,)), lambda _: None)
        with engine.run(ContainerSpec(image=tag)) as container:
            assert container.exec(["cat"], timeout=20, stdin=b"over TLS").stdout == b"over TLS"
            assert container.exec(["sleep", "608"], timeout=1).timed_out
        engine.remove(tag)


def test_a_context_names_a_tls_engine(front: int, certificates: Path, tmp_path: Path) -> None:
    digest = hashlib.sha256(b"lab").hexdigest()
    meta, tls = tmp_path / "contexts/meta" / digest, tmp_path / "contexts/tls" / digest / "docker"
    meta.mkdir(parents=True)
    tls.mkdir(parents=True)
    host = {"Host": f"tcp://127.0.0.1:{front}", "SkipTLSVerify": False}
    (meta / "meta.json").write_text(json.dumps({"Name": "lab", "Metadata": {}, "Endpoints": {"docker": host}}))
    for name in ("ca.pem", "cert.pem", "key.pem"):
        shutil.copy(certificates / name, tls)
    (tmp_path / "config.json").write_text(json.dumps({"currentContext": "lab"}))
    with connect() as engine:
        assert engine.info.url == host["Host"]
    (tls / "ca.pem").write_bytes((certificates / "cert.pem").read_bytes())
    with pytest.raises(EngineError, match="CERTIFICATE_VERIFY_FAILED"):
        connect()


def test_without_a_client_certificate_the_engine_refuses(
    front: int, certificates: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"tcp://127.0.0.1:{front}")
    monkeypatch.setenv("DOCKER_TLS_VERIFY", "1")
    with pytest.raises(ConfigError, match=r"ca\.pem"):
        connect()
    shutil.copy(certificates / "ca.pem", tmp_path)
    with pytest.raises(EngineError):
        connect()
