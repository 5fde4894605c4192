"""What an image says of itself, and what it must not."""

from __future__ import annotations

import json
import tarfile
from io import BytesIO
from pathlib import Path

import pytest
from google.protobuf.json_format import ParseDict
from in_toto_attestation.predicates.provenance.v1 import provenance_pb2
from in_toto_attestation.v1 import statement_pb2
from in_toto_attestation.v1.statement import Statement

from release.conftest import repository
from release.project import Project, write_matrix
from rocmimg.cli import run
from rocmimg.engine import ContainerSpec
from rocmimg.errors import ConfigError
from rocmimg.plan import LABEL_DIGEST
from rocmimg.release import records
from rocmimg.release.candidates import tags_of

pytestmark = pytest.mark.engine
SECRET = "hunter2-very-secret"


def test_manifest_labels_and_statement_agree(project: Project) -> None:
    project.candidate("v1")
    reference = f"{project.host}/lab/app:v1-mi30x"
    detail = project.engine.image(reference)
    assert detail
    with project.engine.run(ContainerSpec(image=reference)) as container:
        said = json.loads(container.exec(["cat", "/usr/share/rocmimg/manifest.json"], timeout=20).stdout)
    assert said["cell"] == detail.labels["io.rocmimg.cell"] == "app-gfx942"
    assert said["base"] == {"name": project.base, "digest": "", "cell": ""}
    assert said["version"] == "v1"

    repo = repository(project.host, "lab/app")
    digest = str(repo.digest(tags_of("app-gfx942", repo.tags())[0]))
    (entry,) = (one for one in repo.referrers(digest) if one.artifact_type == records.PROVENANCE)
    statement = json.loads(repo.attached(entry))
    written = json.loads((project.folder / "build/provenance/app-gfx942.intoto.json").read_text())
    assert statement == written
    assert statement["subject"] == [{"name": f"{project.host}/lab/app", "digest": {"sha256": digest[7:]}}]
    build = statement["predicate"]["buildDefinition"]
    assert build["internalParameters"]["plan"] == detail.labels[LABEL_DIGEST]
    base = project.engine.image(project.base)
    assert base
    (dependency,) = build["resolvedDependencies"]
    assert dependency == {"uri": f"docker://{project.base}", "digest": {"sha256": base.id[7:]}}


def test_the_statement_is_what_in_toto_and_slsa_say(project: Project) -> None:
    """Their own bindings read every field: an unknown one, or one of another type, is an error to them."""
    project.candidate("v1")
    said = json.loads((project.folder / "build/provenance/app-gfx942.intoto.json").read_text())
    Statement.copy_from_pb(ParseDict(said, statement_pb2.Statement())).validate()
    provenance = ParseDict(said["predicate"], provenance_pb2.Provenance())
    assert provenance.build_definition.external_parameters["cell"] == "app-gfx942"
    assert provenance.run_details.metadata.finished_on.seconds > 0


def test_no_secret_reaches_the_image(project: Project, docker_config: Path) -> None:
    """Credentials of proxies, indexes and mirrors are used by steps and are nowhere afterwards."""
    write_matrix(project.folder, project.host, project.base)
    text = (project.folder / "images.yaml").read_text()
    network = {
        "http_proxy": f"http://user:{SECRET}@127.0.0.1:9",
        "pip_index_url": f"https://user:{SECRET}@index.example/simple",
        "git_mirrors": {"https://github.com/": f"https://token:{SECRET}@git.example/"},
    }
    (project.folder / "images.yaml").write_text(text + f"    network: {json.dumps(network)}\n    pip: {{}}\n")
    (project.folder / "templates").mkdir()
    (project.folder / "templates/final.j2").write_text(
        '{% extends "builtin/final.j2" %}{% import "macros.j2" as m with context %}'
        "{% block packages %}{% call m.run(network=true) %}test -v PIP_INDEX_URL{% endcall %}\n{% endblock %}"
    )
    docker_login_json = {"auths": {"registry.example": {"auth": "dXNlcjpodW50ZXIy"}}}
    (docker_config / "config.json").write_text(json.dumps(docker_login_json))
    project.build()
    project.check()
    project.rocmimg("push", "--candidate", "--target", "app")

    logs = list((project.folder / "build/logs").glob("*.log"))
    assert len(logs) == 2
    assert not any(SECRET in log.read_text() for log in logs)
    reference = f"{project.host}/lab/app:v1-mi30x"
    detail = project.engine.image(reference)
    assert detail
    everything = repr(detail) + "".join(entry.created_by for entry in project.engine.history(reference))
    repo = repository(project.host, "lab/app")
    manifest = repo.manifest(tags_of("app-gfx942", repo.tags())[0])
    assert manifest
    blobs = b"".join(repo.blob(blob.digest) for blob in manifest.blobs[:1])
    attached = b"".join(repo.attached(entry) for entry in repo.referrers(manifest.digest))
    for found in (everything.encode(), manifest.content, blobs, attached):
        assert SECRET.encode() not in found
        assert b"dXNlcjpodW50ZXIy" not in found
    import gzip

    for layer in manifest.blobs[1:]:
        with tarfile.open(fileobj=BytesIO(gzip.decompress(repo.blob(layer.digest)))) as archive:
            for member in archive:
                content = archive.extractfile(member)
                assert content is None or SECRET.encode() not in content.read(), member.name


@pytest.mark.parametrize("key", ["repo", "source_url"])
def test_a_password_in_what_becomes_part_of_the_image_is_refused(
    project: Project, capsys: pytest.CaptureFixture[str], key: str
) -> None:
    url = f"https://user:{SECRET}@git.example/aiter"
    value = f"source_url: {url}" if key == "source_url" else f"components: {{aiter: {{repo: {url}, ref: v1}}}}"
    path = project.folder / "images.yaml"
    path.write_text(path.read_text() + f"    {value}\n")
    assert run(["list"]) == ConfigError.exit_code
    said = capsys.readouterr().err
    assert "network.git_mirrors" in said
