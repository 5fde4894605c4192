"""The registry's API against Debian's docker-registry."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import trustme

from release.conftest import repository
from release.registries import Fault, FaultyProxy, TokenServer, docker_login, running, small_disk
from rocmimg.errors import DiskFullError, RegistryDenied, RegistryError
from rocmimg.registry.client import Repository
from rocmimg.registry.types import OCI_MANIFEST, Manifest


def put_image(repo: Repository, tag: str, content: bytes = b"layer") -> Manifest:
    """A manifest with a config and one layer, as small as they get."""
    config, layer = repo.put_blob(json.dumps({"config": tag}).encode()), repo.put_blob(content)
    data = {
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "config": {**config.json(), "mediaType": "application/vnd.oci.image.config.v1+json"},
        "layers": [{**layer.json(), "mediaType": "application/vnd.oci.image.layer.v1.tar"}],
    }
    manifest = Manifest(media_type=OCI_MANIFEST, content=json.dumps(data).encode())
    repo.put_manifest(tag, manifest)
    return manifest


def test_a_manifest_comes_back_byte_for_byte(registry: str) -> None:
    repo = repository(registry)
    assert repo.tags() == []
    assert repo.manifest("v1") is None
    manifest = put_image(repo, "v1")
    assert repo.digest("v1") == manifest.digest
    assert repo.manifest("v1") == manifest
    assert repo.tags() == ["v1"]


def test_attachments_are_listed_and_read_back(registry: str) -> None:
    repo = repository(registry)
    manifest = put_image(repo, "v1")
    assert repo.referrers(manifest.digest) == []
    for number in (1, 2):
        data = json.dumps({"number": number}).encode()
        repo.attach(manifest.descriptor, "application/x.test", data, annotations={"number": str(number)})
    found = repo.referrers(manifest.digest)
    assert [entry.annotations["number"] for entry in found] == ["1", "2"]
    assert [json.loads(repo.attached(entry))["number"] for entry in found] == [1, 2]


def test_attaching_the_same_twice_lists_it_once(registry: str) -> None:
    repo = repository(registry)
    manifest = put_image(repo, "v1")
    for _ in range(2):
        repo.attach(manifest.descriptor, "application/x.test", b"{}", annotations={})
    assert len(repo.referrers(manifest.digest)) == 1


def test_untag_leaves_the_other_tags_of_the_image(registry: str) -> None:
    repo = repository(registry)
    manifest = put_image(repo, "v1")
    repo.put_manifest("candidate", manifest)
    repo.untag("candidate")
    repo.untag("never-there")
    assert repo.digest("candidate") is None
    assert repo.digest("v1") == manifest.digest


def test_blobs_are_mounted_between_repositories_without_moving(registry: str, proxy: FaultyProxy) -> None:
    source, target = repository(proxy.host, "lab/candidates"), repository(proxy.host, "lab/public")
    manifest = put_image(source, "v1")
    proxy.seen.clear()
    for blob in manifest.blobs:
        target.mount(blob.digest, source)
    target.put_manifest("v1", manifest)
    assert target.digest("v1") == manifest.digest
    assert not any(line.startswith(("PATCH", "PUT /v2/lab/public/blobs", "GET")) for line in proxy.seen)


@pytest.mark.parametrize("tls", [False, True])
def test_password(tmp_path: Path, docker_config: Path, tls: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    authority = trustme.CA() if tls else None
    if authority:
        authority.cert_pem.write_to_path(tmp_path / "ca.pem")
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "ca.pem"))
    with running(tmp_path / "registry", password=True, authority=authority) as host:
        with pytest.raises(RegistryDenied, match=r"wants credentials.*docker login"):
            repository(host).tags()
        docker_login(docker_config, host, password="wrong")
        with pytest.raises(RegistryDenied, match="refuses the credentials"):
            repository(host).tags()
        docker_login(docker_config, host)
        manifest = put_image(repository(host), "v1")
        assert repository(host).digest("v1") == manifest.digest


def test_an_unknown_certificate_is_named(tmp_path: Path, docker_config: Path) -> None:
    with (
        running(tmp_path / "registry", authority=trustme.CA()) as host,
        pytest.raises(RegistryError, match=r"no certificate that is trusted.*/etc/docker/certs\.d"),
    ):
        repository(host).tags()


def test_an_expired_token_is_fetched_again(tmp_path: Path, docker_config: Path) -> None:
    with TokenServer().running() as tokens, running(tmp_path / "registry", token_server=tokens) as host:
        docker_login(docker_config, host)
        manifest = put_image(repository(host), "v1")
        tokens.lifetimes_s, before = [-300], tokens.issued
        assert repository(host).digest("v1") == manifest.digest
        assert tokens.issued == before + 2


def test_a_read_only_user_is_told_before_anything_is_written(tmp_path: Path, docker_config: Path) -> None:
    with TokenServer().running() as tokens, running(tmp_path / "registry", token_server=tokens) as host:
        docker_login(docker_config, host)
        manifest = put_image(repository(host), "v1")
        docker_login(docker_config, host, "reader")
        reader = repository(host)
        assert reader.digest("v1") == manifest.digest
        with pytest.raises(RegistryDenied, match="may not do this"):
            reader.require_push()
        docker_login(docker_config, host)
        repository(host).require_push()


@pytest.mark.parametrize("status", [429, 500, 502, 503])
def test_trouble_that_passes_is_waited_for(proxy: FaultyProxy, status: int) -> None:
    repo = repository(proxy.host)
    manifest = put_image(repo, "v1")
    proxy.faults += [
        Fault("GET", "manifests/v1", times=2, status=status, headers={"Retry-After": "0"}),
        Fault("POST", "uploads", status=status),
    ]
    assert repo.manifest("v1") == manifest
    repo.put_blob(b"after trouble")
    assert all(fault.hits == fault.times for fault in proxy.faults)


def test_trouble_that_stays_is_reported(proxy: FaultyProxy) -> None:
    repo = repository(proxy.host)
    proxy.faults.append(Fault("GET", "tags", times=100, status=503, headers={"Retry-After": "0"}))
    with pytest.raises(RegistryError, match=r"cannot list the tags.*503.*later"):
        repo.tags()


def test_a_long_pause_is_reported_instead_of_waited_for(proxy: FaultyProxy) -> None:
    repo = repository(proxy.host)
    proxy.faults.append(Fault("GET", "tags", times=100, status=429, headers={"Retry-After": "21600"}))
    with pytest.raises(RegistryError, match=r"429.*wait 21600 s"):
        repo.tags()
    assert proxy.faults[0].hits == 1


def test_answers_and_uploads_that_break_off_are_repeated(proxy: FaultyProxy) -> None:
    repo = repository(proxy.host)
    manifest = put_image(repo, "v1", b"x" * 10_000)
    proxy.faults += [Fault("GET", "blobs/sha256"), Fault("GET", "manifests/v1"), Fault("PUT", "uploads")]
    assert repo.blob(manifest.blobs[1].digest) == b"x" * 10_000
    assert repo.manifest("v1") == manifest
    assert repo.blob(repo.put_blob(b"y" * 10_000).digest) == b"y" * 10_000
    assert all(fault.hits == 1 for fault in proxy.faults)


def test_a_lost_answer_to_an_upload_is_no_error(proxy: FaultyProxy) -> None:
    repo = repository(proxy.host)
    proxy.faults.append(Fault("PUT", "uploads", status=502, after=True))
    assert repo.has_blob(repo.put_blob(b"stored, but the answer got lost").digest)


def test_a_registry_that_lies_about_content_is_caught(proxy: FaultyProxy) -> None:
    repo = repository(proxy.host)
    manifest = put_image(repo, "v1")
    proxy.faults.append(Fault("GET", "blobs/sha256", status=200, body=b"something else"))
    with pytest.raises(RegistryError, match="holds something else"):
        repo.blob(manifest.blobs[1].digest)


def test_a_full_disk_is_named(tmp_path: Path, docker_config: Path) -> None:
    with small_disk(tmp_path / "disk", "1m") as disk, running(tmp_path / "registry", storage=disk) as host:
        repo = repository(host)
        with pytest.raises(DiskFullError):
            repo.put_blob(b"x" * 2_000_000)


def test_deletion_that_is_switched_off_is_named(tmp_path: Path, docker_config: Path) -> None:
    with running(tmp_path / "registry", delete=False) as host:
        repo = repository(host)
        manifest = put_image(repo, "v1")
        with pytest.raises(RegistryError, match="without deletion"):
            repo.delete(manifest.digest)


def test_nobody_answers(docker_config: Path) -> None:
    with pytest.raises(RegistryError, match=r"127\.0\.0\.1:1 does not answer"):
        repository("127.0.0.1:1").tags()


def test_a_blob_that_is_unknown_for_a_moment(proxy: FaultyProxy) -> None:
    repo = repository(proxy.host)
    unknown = b'{"errors":[{"code":"MANIFEST_BLOB_UNKNOWN","message":"blob unknown to registry"}]}'
    proxy.faults.append(Fault("PUT", "manifests/v1", status=400, body=unknown))
    manifest = put_image(repo, "v1")
    assert repo.digest("v1") == manifest.digest
    proxy.faults.append(Fault("PUT", "manifests/v2", times=3, status=404, body=unknown))
    with pytest.raises(RegistryError, match=r"cannot write .*:v2; .* blob unknown"):
        put_image(repo, "v2")
    proxy.faults.append(Fault("PUT", "manifests/v3", times=3, status=400, body=b'{"errors":[{"code":"TAG_INVALID"}]}'))
    with pytest.raises(RegistryError, match=r"cannot write .*:v3; .* TAG_INVALID"):
        put_image(repo, "v3")
    assert proxy.faults[-1].hits == 1
