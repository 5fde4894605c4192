"""Secrets planted in everything that takes one: a whole run writes them nowhere, not even into the image."""

from __future__ import annotations

import gzip
import json
import os
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from release.project import Project, remove_images
from release.registries import docker_login, running
from rocmimg.cli import run
from rocmimg.engine.client import Engine
from rocmimg.release.signing import KEY_VARIABLE, make_key

Rocmimg = Callable[..., str]
SECRETS = ("planted1", "planted2", "planted3", "planted4", "planted5", "planted6", "planted7", "s3cret", "d3JpdGVyOnMz")
"""The last two: a registry's password, and the beginning of what its user and password are in base64."""
STEP = """
{% call m.run(network=true) %}
env && cat /run/rocmimg/network/env && echo "$http_proxy" >&2
{% endcall %}
"""
MATRIX = """\
defaults:
  registry: "{host}"
  image: lab/app
  version: v1
  tags: ["{{version}}-{{target}}"]
  aliases: ["{{target}}-latest"]
  release: {{required_tiers: [image], signers: {{ci: ci.pub}}}}
  network:
    http_proxy: http://me:planted1@127.0.0.1:9
    https_proxy: http://planted2@127.0.0.1:9
    no_proxy: 127.0.0.1
    pip_index_url: http://me:planted3@127.0.0.1:9/simple
    pip_extra_index_urls: ["http://planted4@127.0.0.1:9/simple"]
    apt_mirror: http://me:planted5@127.0.0.1:9
    engine_mode: host
    git_mirrors: {{"https://github.com/": "http://me:planted6@127.0.0.1:9/", "https://gitlab.com/": "ssh://me:planted7@h/"}}
targets:
  app:
    gpu_archs: [gfx942]
    base: {base}
    components: {{loud: {{}}}}
  broken:
    gpu_archs: [gfx942]
    base: {base}
    components: {{loud: {{}}, fails: {{}}}}
  fetched:
    gpu_archs: [gfx942]
    base: {base}
    pip: {{einops: 0.8.1}}
    components:
      aiter: {{repo: https://github.com/x/y.git, ref: main}}
      mori: {{repo: https://gitlab.com/x/y.git, ref: main}}
"""


@pytest.fixture
def planted(
    tmp_path: Path, docker_config: Path, host_engine: Engine, small_base: str, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Project]:
    folder = tmp_path / "project"
    recipes = folder / "templates/components"
    recipes.mkdir(parents=True)
    for name, step in (("loud", STEP), ("fails", STEP.replace("env &&", "env && exec 2>&1 && false;"))):
        (recipes / f"{name}.yaml").write_text(json.dumps({"description": name, "sources": ["none"]}))
        (recipes / f"{name}.j2").write_text(
            '{% import "macros.j2" as m with context %}{% if part == "install" %}' + step + "{% endif %}"
        )
    monkeypatch.chdir(folder)
    monkeypatch.setenv("ROCMIMG_CACHE", str(tmp_path / "cache"))
    with running(tmp_path / "registry", password=True) as host:
        docker_login(docker_config, host)
        (folder / "images.yaml").write_text(MATRIX.format(host=host, base=small_base))
        make_key(folder / "ci")
        monkeypatch.setenv("PLANTED_KEY", (folder / "ci.key").read_text())
        monkeypatch.setenv(KEY_VARIABLE, "env:PLANTED_KEY")
        (folder / "ci.key").unlink()
        yield Project(folder, host_engine, host, small_base)
        remove_images(host_engine, host)


VERBS = {
    "describe": (
        "list --json", "explain app", "explain fetched", "render fetched", "render -o out", "diff app broken",
        "plan app --json", "doctor",
    ),
    "check": (
        "check", "lint out --format json", "lint out --format sarif -o lint.sarif", "lint out --format github",
        "--debug lock --target fetched", "contract check fetched", "check --online --json",
    ),
    "build": ("build app --json", "build broken", "build fetched --no-contract"),
    "prove": ("test app --tier image --junit junit.xml --html page.html --markdown page.md",),
    "release": (
        "push --candidate app", "push --results app", "promote --target app --override image=trusted",
        "status --target app --json",
        "rollback --target app", "prune --target app --dry-run",
    ),
    "export": (
        "export ci github --rocmimg . -o github.yml", "export ci gitlab --rocmimg .", "export ci buildkite --rocmimg .",
        "export bake -o bake", "export schema",
    ),
}  # fmt: skip


@pytest.mark.skipif(not os.environ.get("ROCMIMG_TEST_SLOW"), reason="takes minutes: ROCMIMG_TEST_SLOW=1 runs it")
def test_no_secret_is_written_anywhere(planted: Project, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    codes = {}
    for verbs in VERBS.values():
        for verb in verbs:
            codes[verb] = run(verb.split())
    said = capfd.readouterr()
    everything = {"what was printed": (said.out + said.err).encode()}
    (planted.folder / "images.yaml").rename(tmp_path / "images.yaml")  # the one place where they stand
    for root in (planted.folder, tmp_path / "cache", tmp_path / "registry/data"):
        for path in root.rglob("*"):
            if path.is_file():
                everything[str(path)] = _unpacked(path.read_bytes())
    image = planted.engine.image(f"{planted.host}/lab/app:v1-app")
    assert image, said.out + said.err
    everything["the image"] = json.dumps(planted.engine._api.client.inspect_image(image.id)).encode()
    everything["its history"] = json.dumps(planted.engine._api.client.history(image.id)).encode()
    key = os.environ["PLANTED_KEY"].splitlines()[1]
    leaks = [
        f"{secret} in {where}: {content[max(content.find(secret.encode()) - 200, 0) :][:300]!r}"
        for where, content in everything.items()
        for secret in (*SECRETS, key)
        if secret.encode() in content
    ]
    assert not leaks, "\n".join(leaks)
    # The run went as far as it was to go: the steps had the secrets, and said so.
    shown = everything["what was printed"].decode()
    log = (planted.folder / "build/logs/app-gfx942.log").read_text()
    assert log.count("http://***@127.0.0.1:9") > 3
    assert "http://***@127.0.0.1:9" in shown
    for verb in (
        "build app --json",
        "push --candidate app",
        "promote --target app --override image=trusted",
        "render -o out",
    ):
        assert codes[verb] == 0, (verb, shown[-3000:])
    assert codes["build broken"] == 7
    for file in ("junit.xml", "page.html", "page.md", "lint.sarif", "github.yml", "build/report.json"):
        assert (planted.folder / file).exists(), codes


def _unpacked(data: bytes) -> bytes:
    """With what is compressed in it: a layer, a cached template."""
    if data[:2] == b"\x1f\x8b":
        return gzip.decompress(data)
    try:
        return data + zlib.decompress(data)
    except zlib.error:
        return data
