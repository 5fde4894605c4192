from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from rocmimg.engine.endpoint import DEFAULT_URL, resolve
from rocmimg.errors import ConfigError


def context(folder: Path, name: str, docker: dict[str, object], *files: str) -> Path:
    digest = hashlib.sha256(name.encode()).hexdigest()
    meta = folder / "contexts" / "meta" / digest
    meta.mkdir(parents=True)
    (meta / "meta.json").write_text(json.dumps({"Name": name, "Metadata": {}, "Endpoints": {"docker": docker}}))
    tls = folder / "contexts" / "tls" / digest / "docker"
    if files:
        tls.mkdir(parents=True)
    for file in files:
        (tls / file).write_text("pem")
    return tls


def current(folder: Path, name: str) -> None:
    (folder / "config.json").write_text(json.dumps({"auths": {}, "currentContext": name}))


def test_nothing_set_means_the_default_socket(tmp_path: Path) -> None:
    found = resolve({"HOME": str(tmp_path)})
    assert (found.url, found.tls, found.source) == (DEFAULT_URL, False, "default")


@pytest.mark.parametrize(
    ("given", "url"),
    [
        ("unix:///run/user/1000/podman/podman.sock", "unix:///run/user/1000/podman/podman.sock"),
        ("tcp://10.0.0.1:2375", "tcp://10.0.0.1:2375"),
        ("10.0.0.1:2375", "tcp://10.0.0.1:2375"),
        ("/run/other.sock", "unix:///run/other.sock"),
        ("ssh://user@host", "ssh://user@host"),
    ],
)
def test_docker_host_is_taken_as_the_command_line_takes_it(tmp_path: Path, given: str, url: str) -> None:
    found = resolve({"DOCKER_CONFIG": str(tmp_path), "DOCKER_HOST": given})
    assert (found.url, found.source, found.tls) == (url, "DOCKER_HOST", False)


def test_docker_host_wins_over_contexts(tmp_path: Path) -> None:
    context(tmp_path, "lab", {"Host": "tcp://lab:2375"})
    current(tmp_path, "lab")
    environ = {"DOCKER_CONFIG": str(tmp_path), "DOCKER_HOST": "tcp://other:1", "DOCKER_CONTEXT": "lab"}
    assert resolve(environ).url == "tcp://other:1"


def test_docker_context_wins_over_the_current_one(tmp_path: Path) -> None:
    context(tmp_path, "lab", {"Host": "tcp://lab:2375"})
    context(tmp_path, "field", {"Host": "unix:///field.sock"})
    current(tmp_path, "lab")
    assert resolve({"DOCKER_CONFIG": str(tmp_path)}).url == "tcp://lab:2375"
    found = resolve({"DOCKER_CONFIG": str(tmp_path), "DOCKER_CONTEXT": "field"})
    assert (found.url, found.source) == ("unix:///field.sock", "context field")
    assert resolve({"DOCKER_CONFIG": str(tmp_path), "DOCKER_CONTEXT": "default"}).url == DEFAULT_URL


def test_a_context_is_found_without_a_config_json(tmp_path: Path) -> None:
    context(tmp_path / ".docker", "lab", {"Host": "tcp://lab:2375"})
    assert resolve({"HOME": str(tmp_path), "DOCKER_CONTEXT": "lab"}).url == "tcp://lab:2375"


def test_a_context_brings_its_tls_material(tmp_path: Path) -> None:
    tls = context(tmp_path, "lab", {"Host": "tcp://lab:2376"}, "ca.pem", "cert.pem", "key.pem")
    current(tmp_path, "lab")
    found = resolve({"DOCKER_CONFIG": str(tmp_path)})
    assert found.tls
    assert found.verify
    assert (found.ca, found.cert, found.key) == (tls / "ca.pem", tls / "cert.pem", tls / "key.pem")


def test_a_context_with_a_ca_alone_is_still_verified(tmp_path: Path) -> None:
    tls = context(tmp_path, "lab", {"Host": "tcp://lab:2376"}, "ca.pem")
    found = resolve({"DOCKER_CONFIG": str(tmp_path), "DOCKER_CONTEXT": "lab"})
    assert (found.tls, found.verify, found.ca, found.cert) == (True, True, tls / "ca.pem", None)


def test_a_context_can_ask_for_tls_without_verification(tmp_path: Path) -> None:
    context(tmp_path, "lab", {"Host": "tcp://lab:2376", "SkipTLSVerify": True})
    found = resolve({"DOCKER_CONFIG": str(tmp_path), "DOCKER_CONTEXT": "lab"})
    assert (found.tls, found.verify, found.ca) == (True, False, None)


def test_tls_settings_of_the_environment_do_not_touch_a_context(tmp_path: Path) -> None:
    context(tmp_path, "lab", {"Host": "unix:///lab.sock"})
    environ = {"DOCKER_CONFIG": str(tmp_path), "DOCKER_CONTEXT": "lab", "DOCKER_TLS_VERIFY": "1"}
    assert not resolve(environ).tls


@pytest.mark.parametrize("variable", ["DOCKER_CERT_PATH", "DOCKER_CONFIG"])
def test_tls_verify_takes_its_files_from_the_folder(tmp_path: Path, variable: str) -> None:
    for name in ("ca.pem", "cert.pem", "key.pem"):
        (tmp_path / name).write_text("pem")
    found = resolve({"DOCKER_HOST": "tcp://h:2376", "DOCKER_TLS_VERIFY": "1", variable: str(tmp_path)})
    assert (found.tls, found.verify) == (True, True)
    assert (found.ca, found.cert, found.key) == (tmp_path / "ca.pem", tmp_path / "cert.pem", tmp_path / "key.pem")


def test_docker_tls_alone_encrypts_without_verifying(tmp_path: Path) -> None:
    found = resolve({"DOCKER_HOST": "tcp://h:2376", "DOCKER_TLS": "1", "DOCKER_CERT_PATH": str(tmp_path)})
    assert (found.tls, found.verify, found.ca) == (True, False, None)


def test_tls_does_not_concern_a_socket(tmp_path: Path) -> None:
    environ = {"DOCKER_HOST": "unix:///x.sock", "DOCKER_TLS_VERIFY": "1", "DOCKER_CERT_PATH": str(tmp_path)}
    assert not resolve(environ).tls


def test_missing_material_is_named(tmp_path: Path) -> None:
    environ = {"DOCKER_HOST": "tcp://h:2376", "DOCKER_TLS_VERIFY": "1", "DOCKER_CERT_PATH": str(tmp_path)}
    with pytest.raises(ConfigError, match=r"DOCKER_CERT_PATH: no CA certificate .*ca\.pem"):
        resolve(environ)


def test_an_unknown_context_is_an_error_that_says_where_it_was_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"^DOCKER_CONTEXT: no docker context 'nope'"):
        resolve({"DOCKER_CONFIG": str(tmp_path), "DOCKER_CONTEXT": "nope"})
    current(tmp_path, "gone")
    with pytest.raises(ConfigError, match=r"config\.json: no docker context 'gone'"):
        resolve({"DOCKER_CONFIG": str(tmp_path)})


def test_a_broken_config_names_its_line(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{\n  "auths": {},\n}')
    with pytest.raises(ConfigError, match=r"config\.json:[23]: the docker configuration is no JSON"):
        resolve({"DOCKER_CONFIG": str(tmp_path)})
