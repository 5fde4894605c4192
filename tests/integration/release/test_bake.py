"""docker-bake.json with the real `docker buildx bake`, on a second engine in a network namespace of its own."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from engine.conftest import isolated

from rocmimg.cli import run
from rocmimg.engine import BuildRequest, ContainerSpec
from rocmimg.engine.client import Engine
from rocmimg.engine.endpoint import Endpoint
from rocmimg.plan import ContextFile

pytestmark = pytest.mark.engine
MATRIX = """\
defaults:
  registry: rocmimg-test
  tags: ["{{version}}-{{target}}-{{alias}}"]
  network: {{engine_mode: host, ca_bundle: ca.pem}}
targets:
  lower:
    gpu_archs: [gfx942]
    base: {base}
    env: {{LOWER: "one two"}}
    components: {{lowfiles: {{}}}}
  upper:
    gpu_archs: [gfx942]
    base: {{cell: lower}}
    workdir: /work
    env: {{UPPER: 'a "quoted" $value'}}
    command: [cat, /data/upper]
    components: {{upfiles: {{}}, parts: {{source: "local:parts"}}, more: {{uses: parts, source: "local:parts"}}}}
  own:
    gpu_archs: [gfx942]
    dockerfile:
      path: docker/own.Dockerfile
      stage: last
      args: {{BASE: "rocmimg-test/rocmimg:{{version}}-upper-mi30x", ARCH: "{{arch}}"}}
"""
PARTS = """\
{% extends "components/component.j2" %}
{% block build %}
{% call m.run(network=true, files=["note.sh"]) %}
mkdir -p /wheels && {{ m.program("note.sh") }} {{ c.name|sh }} > /wheels/note && cat part.txt >> /wheels/note
{% endcall %}
{% endblock %}
{% block install %}
{% call m.run(network=false, wheels=c.name) %}
mkdir -p /data && cat /wheels/note > /data/{{ c.name|sh }}
{% endcall %}
{% endblock %}
"""
FILES = {
    "templates/components/parts.yaml": "description: of a stage of its own\nsources: [local]\ninstall: [wheel]\n",
    "templates/components/parts.j2": PARTS,
    "templates/files/note.sh": 'echo "$1 with ${SSL_CERT_FILE:+a bundle}"\n',
    "parts/part.txt": "from the context\n",
    "docker/own.Dockerfile": """\
ARG BASE
FROM ${BASE} AS first
ARG ARCH
COPY parts/*.txt /out/
RUN --mount=type=bind,source=parts,target=/mnt cat /mnt/part.txt /data/parts > /out/$ARCH
FROM ${BASE} AS last
COPY --from=first /out /own
FROM last AS never
RUN false
""",
}
ENGINES = ("dev", "proc", "sys", ".dockerenv")
"""What engines put into every container."""
OWN = ("created", "base.digest", "io.rocmimg.plan", "io.rocmimg.inputs")


def buildx() -> Path:
    """Debian testing's docker-buildx, unpacked once."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache", "rocmimg", "engines")
    root = cache / "debian-testing-buildx"
    if not root.is_dir():
        if not shutil.which("mmdebstrap"):
            pytest.skip("docker-buildx is unpacked with mmdebstrap, which is not here")
        cache.mkdir(parents=True, exist_ok=True)
        partial = root.with_suffix(f".{os.getpid()}")
        valid = '--aptopt=Acquire::Check-Valid-Until "false"'
        command = ["mmdebstrap", "--quiet", "--variant=extract", valid, "--include=docker-buildx", "testing", partial]
        subprocess.run(command, check=True)
        partial.rename(root)
    return root / "usr/libexec/docker/cli-plugins/docker-buildx"


@pytest.fixture
def second(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """Docker 28 with a network, a data folder and a socket of its own."""
    with isolated("docker28", tmp_path_factory.mktemp("docker28")) as started:
        engine = Engine(Endpoint(url=started.url, source="test"))
        with engine:
            yield engine


def copy_image(source: Engine, ref: str, target: Engine) -> None:
    """The same files under the same name on another engine."""
    files = []
    with source.run(ContainerSpec(image=ref)) as container:
        for member, content in container.archive("/"):
            name = member.name.removeprefix("./").lstrip("/")
            if member.isreg() and name.split("/")[0] not in ENGINES:
                files.append(ContextFile(path=f"root/{name}", data=content.read(), mode=member.mode & 0o777))
            elif member.issym():
                files.append(ContextFile(path=f"root/{name}", link=member.linkname, mode=0o777))
    text = 'FROM scratch\nCOPY root /\nRUN ["/bin/sh", "-c", "mkdir -p /tmp /var /run"]\n'
    target.build(BuildRequest(dockerfile=text, context=files, tags=(ref,)), lambda _: None)


def contents(engine: Engine, ref: str) -> dict[str, tuple[str, int, str]]:
    """What users can see in an image: path -> kind, mode, content."""
    found = {}
    with engine.run(ContainerSpec(image=ref)) as container:
        for member, content in container.archive("/"):
            name = member.name.removeprefix("./").strip("/")
            # What engines put into every container; an older one leaves the empty folder of a mount as well.
            if name == "wheels":
                continue
            if name.split("/")[0] in ("dev", "proc", "sys", ".dockerenv") or name.startswith(
                ("etc/host", "etc/resolv")
            ):
                continue
            data = member.linkname if member.issym() else hashlib.sha256(content.read()).hexdigest()
            found[name] = (str(member.type), member.mode & 0o7777, data)
    return found


def recipe(folder: Path, name: str, step: str) -> None:
    """A component that is one step of the final image."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.yaml").write_text(f"description: {name}\nsources: [none]\n")
    head = '{% extends "components/component.j2" %}{% block stage %}{% endblock %}{% block install %}'
    (folder / f"{name}.j2").write_text(f"{head}\n{step}\n{{% endblock %}}")


def test_bake_and_build_make_the_same_images(
    tmp_path: Path,
    host_engine: Engine,
    small_base: str,
    second: Engine,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "images.yaml").write_text(MATRIX.format(base=small_base))
    components = tmp_path / "templates/components"
    recipe(
        components, "lowfiles", "RUN mkdir -p /data && echo lower > /data/lower && umask 077 && echo x > /data/private"
    )
    recipe(components, "upfiles", "RUN cat /data/lower > /data/upper && echo more >> /data/upper")
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    copy_image(host_engine, small_base, second)
    shutil.copy("/etc/ssl/certs/ca-certificates.crt", tmp_path / "ca.pem")
    capsys.readouterr()
    assert run(["export", "bake", "--output", "bake"]) == 0
    printed = capsys.readouterr().out.partition("run: ")[2].splitlines()[0]
    plugins = tmp_path / "docker/cli-plugins"
    plugins.mkdir(parents=True)
    (plugins / "docker-buildx").symlink_to(buildx())
    assert run(["build"]) == 0
    names = [f"rocmimg-test/rocmimg:dev-{target}-mi30x" for target in ("lower", "upper", "own")]
    try:
        baked = subprocess.run(
            ["sh", "-c", printed],
            cwd=tmp_path,
            env=os.environ | {"DOCKER_HOST": second.info.url, "DOCKER_CONFIG": str(tmp_path / "docker")},
            stdin=subprocess.DEVNULL,  # bake must not ask: a pipeline has no terminal
            capture_output=True,
            text=True,
            check=False,
        )
        assert baked.returncode == 0, baked.stderr
        own = contents(second, names[-1])
        assert {"data/parts", "data/more", "own/part.txt", "own/gfx942"} <= own.keys()
        for name in names:
            one, other = host_engine.image(name), second.image(name)
            assert one
            assert other
            assert contents(host_engine, name) == contents(second, name)
            for key in ("env", "workdir", "entrypoint", "cmd", "user", "shell"):
                assert getattr(one, key) == getattr(other, key), key
            assert {k: v for k, v in one.labels.items() if not k.endswith(OWN)} == {
                k: v for k, v in other.labels.items() if not k.endswith(OWN)
            }
    finally:
        for name in reversed(names):
            host_engine.remove(name, force=True)
