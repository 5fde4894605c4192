"""The whole way of a release on each engine, with the command line as people use it: one test a step.

It walks where ROCMIMG_TEST_ENGINES names engines; docs/engine.md has the table of what it said.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from release.registries import running
from small import SMALL_BASE, build_small_base

from rocmimg.engine import ContainerSpec
from rocmimg.engine.client import Engine
from rocmimg.errors import GateRefused

from .conftest import Started

PORT = 5987
CELLS = ("app-gfx942", "app-gfx950")
MATRIX = """
defaults:
  registry: {host}
  version: v1
  tags: ["{{version}}-{{target}}-{{alias}}"]
  aliases: ["{{target}}-{{alias}}-latest"]
  release: {{required_tiers: [image, import]}}
  checks:
    waivers: [{{check: interpreter, reason: the small image has no Python, until: 2099-12-31}}]
targets:
  app:
    gpu_archs: [gfx942, gfx950]
    base: {base}
    image: rocmimg-test/app
    components: {{part: {{}}, other: {{}}}}
    command: [ls]
  onapp: {{gpu_archs: [gfx942], base: {{cell: app}}, image: rocmimg-test/onapp, command: [ls]}}
  bad: {{gpu_archs: [gfx942], base: {base}, image: rocmimg-test/bad, components: {{broken: {{}}}}}}
  slow: {{gpu_archs: [gfx942, gfx950], base: {base}, image: rocmimg-test/slow, components: {{slow: {{}}}}}}
  keeps:
    gpu_archs: [gfx942]
    base: {base}
    image: rocmimg-test/keeps
    cache: {{namespace: {namespace}}}
    components: {{keeps: {{}}}}
"""
KINDS = ("git", "apt", "pip", "ccache")
KEEPS = f"""\
{{% extends "components/component.j2" %}}
{{% block build %}}
{{% call m.run(network=true, git=true, apt=true, compiles=true) %}}
mkdir /made && : {{{{ options.n }}}} --no-cache-dir \
 && for kind in {" ".join(KINDS)}; do \
        [ ! -f /run/rocmimg/$kind/left ] || echo $kind >> /made/seen; \
        [ ! -d /run/rocmimg/$kind ] || echo kept-by-a-cache > /run/rocmimg/$kind/left; \
    done
{{% endcall %}}
{{% endblock %}}
{{% block install %}}
COPY --from=keeps /made /made
{{% endblock %}}
"""
STAGE = """\
{{% extends "components/component.j2" %}}
{{% block build %}}
RUN mkdir /made && echo {text} > /made/{name}
{{% endblock %}}
{{% block install %}}
RUN --mount=type=bind,from={name},source=/made,target=/seen cat /seen/{name} > /{name}
{{% endblock %}}
"""


@dataclass
class Way:
    """A project, an engine, and a registry beside it."""

    started: Started
    engine: Engine
    folder: Path
    host: str
    first: dict[str, str] = field(default_factory=dict)

    @contextlib.contextmanager
    def start(self, *words: str) -> Iterator[subprocess.Popen[str]]:
        command = [*self.started.inside(), sys.executable, "-m", "rocmimg", *words]
        env = os.environ | {"DOCKER_HOST": self.started.url, "ROCMIMG_CACHE": str(self.folder / "cache")}
        with subprocess.Popen(
            command, cwd=self.folder, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        ) as process:
            try:
                yield process
            except BaseException:
                process.kill()
                raise

    def run(self, *words: str, code: int = 0) -> Any:
        with self.start(*words, "--json") as process:
            out, err = process.communicate(timeout=300)
        assert process.returncode == code, out + err
        assert "Traceback" not in err
        return json.loads(out)

    def part(self, name: str, text: str) -> None:
        """A component of the shape of production: a stage whose result the final one mounts."""
        self.recipe(name, STAGE.format(name=name, text=text))

    def recipe(self, name: str, text: str, **keys: Any) -> None:
        folder = self.folder / "templates/components"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{name}.yaml").write_text(json.dumps({"description": name, "sources": ["none"]} | keys))
        (folder / f"{name}.j2").write_text(text)

    def plain(self, name: str, step: str) -> None:
        start = '{% extends "components/component.j2" %}{% block stage %}{% endblock %}{% block install %}\n'
        self.recipe(name, f"{start}RUN {step}\n{{% endblock %}}\n")

    def read(self, cell: str, *files: str, target: str = "app") -> str:
        (ref,) = [tag for image in self.engine.images() for tag in image.tags
                  if tag.endswith(f":v1-{target}-{cell}")]  # fmt: skip
        with self.engine.run(ContainerSpec(image=ref)) as container:
            return container.exec(["cat", *files], timeout=60).stdout.decode()


@pytest.fixture(scope="module")
def way(started: Started, engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Way]:
    if "ROCMIMG_TEST_ENGINES" not in os.environ:
        pytest.skip("not run: the whole way is walked on request (make test-engines)")
    build_small_base(engine)
    folder = tmp_path_factory.mktemp("way")
    registry = folder / "registry"
    with running(registry, inside=started.inside(), port=PORT if started.pid else 0) as host:
        made = Way(started, engine, folder, host)
        namespace = f"way-{uuid.uuid4().hex[:12]}"
        (folder / "images.yaml").write_text(MATRIX.format(host=host, base=SMALL_BASE, namespace=namespace))
        made.part("part", "first")
        made.part("other", "other")
        made.plain("broken", "sleep 3; echo the reason >&2 && exit 7")
        made.plain("slow", "sleep 619")
        made.recipe("keeps", KEEPS, options={"n": {"type": "int", "default": 0, "help": "Makes the step another one"}})
        yield made
        for image in engine.images():
            for name in (*image.tags, *image.digests):
                if "rocmimg-test/" in name:
                    engine.remove(name, force=True)


def test_doctor(way: Way) -> None:
    with way.start("doctor", "--json") as process:
        out, _ = process.communicate(timeout=300)
    found = {one["id"]: one for one in json.loads(out)}
    assert [found[name]["status"] for name in ("engine", "api", "build", "container")] == ["ok"] * 4, found


def test_build_from_nothing(way: Way) -> None:
    rows = way.run("build", "--target", "app")
    assert [(row["id"], row["status"]) for row in rows] == [(cell, "built") for cell in CELLS]
    way.first = {row["id"]: row["image_id"] for row in rows}
    assert way.read("mi30x", "/part", "/other") == "first\nother\n"


def test_second_build(way: Way) -> None:
    rows = way.run("build", "--target", "app")
    assert [(row["status"], row["image_id"]) for row in rows] == [("up-to-date", way.first[cell]) for cell in CELLS]
    forced = way.run("build", "--target", "app", "--force")
    assert {row["status"] for row in forced} == {"built"}
    steps = [step for row in forced for step in row["steps"] if step["command"].startswith("RUN")]
    assert steps
    assert [step["command"] for step in steps if not step["cached"]] == []


def test_failing_step(way: Way) -> None:
    rows = {row["id"]: row for row in way.run("build", "--target", "bad", code=7)}
    assert rows["bad-gfx942"]["status"] == "failed"
    assert "exit 7" in rows["bad-gfx942"]["failed_step"]
    assert "exit 7" in rows["bad-gfx942"]["error"]["message"]
    assert "exit code 7" in rows["bad-gfx942"]["error"]["message"]
    assert "the reason" in rows["bad-gfx942"]["last_lines"]


def test_fail_fast(way: Way) -> None:
    rows = way.run("build", "--target", "bad", "--target", "slow", "--jobs", "3", "--fail-fast", "--force", code=7)
    assert {row["id"]: row["status"] for row in rows} == {
        "bad-gfx942": "failed", "slow-gfx942": "cancelled", "slow-gfx950": "cancelled",
    }  # fmt: skip
    assert way.engine.images(), "the engine lives"


def test_changed_build(way: Way) -> None:
    for text in ("second", "first", "third"):
        way.part("part", text)
        way.run("build", "--target", "app")
        assert way.read("mi30x", "/part", "/other") == f"{text}\nother\n"


def test_ctrl_c_with_two_cells(way: Way) -> None:
    log = way.folder / "build/logs"
    for file in log.glob("slow-*.log"):
        file.unlink()
    with way.start("build", "--target", "slow") as process:
        deadline = time.monotonic() + 120
        while sum("sleep 619" in file.read_text() for file in log.glob("slow-*.log")) < 2:
            assert time.monotonic() < deadline
            time.sleep(0.1)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=120)
    assert process.returncode == 130, err
    rows = json.loads((way.folder / "build/report.json").read_text())
    assert {row["status"] for row in rows} == {"cancelled"}
    assert way.engine.images(), "the engine lives"


def test_caches_of_steps(way: Way) -> None:
    def seen(n: int, *options: str) -> list[str]:
        (row,) = way.run("build", "--target", "keeps", "--set", f"components.keeps.options.n={n}", *options)
        with way.engine.run(ContainerSpec(image=row["image_id"])) as container:
            left = container.exec(["grep", "-rl", "kept-by-a-cache", "/made", "/run", "/tmp", "/var"], timeout=60)
            assert left.stdout == b""
            return container.exec(["cat", "/made/seen"], timeout=60).stdout.decode().split()

    assert seen(1) == []
    assert seen(2) == list(KINDS)
    assert seen(3, "--no-cache") == []
    assert seen(4) == list(KINDS)


def test_cell_on_cell(way: Way) -> None:
    rows = {row["id"]: row["status"] for row in way.run("build", "--target", "onapp")}
    assert rows == {"app-gfx942": "up-to-date", "onapp-gfx942": "built"}
    way.part("other", "changed below")
    rows = {row["id"]: row["status"] for row in way.run("build", "--target", "onapp")}
    assert rows == {"app-gfx942": "built", "onapp-gfx942": "built"}
    assert way.read("mi30x", "/other", target="onapp") == "changed below\n"
    way.run("build", "--target", "app")


def test_test(way: Way) -> None:
    rows = way.run("test", "--target", "app", "--tier", "image", "--tier", "import")
    failed = {check["id"]: check["reason"] for row in rows for check in row["checks"] if check["status"] == "failed"}
    assert failed == {}
    assert [row["status"] for row in rows] == ["passed"] * 2


def test_push(way: Way) -> None:
    rows = way.run("push", "--candidate", "--target", "app")
    assert {row["id"]: row["attached"] for row in rows} == {cell: ["provenance", "results"] for cell in CELLS}


def test_gate(way: Way) -> None:
    with way.start("promote", "--target", "app", "--set", "release.required_tiers=[image, gpu]") as process:
        _, err = process.communicate(timeout=300)
    assert process.returncode == GateRefused.exit_code, err
    assert "gpu" in err


def test_promote(way: Way) -> None:
    assert len(way.run("promote", "--target", "app")) == len(CELLS)


def test_rollback(way: Way) -> None:
    way.part("part", "worse")
    options = ("--set", "version=v2")
    way.run("build", "--target", "app", *options)
    way.run("test", "--target", "app", "--tier", "image", "--tier", "import", *options)
    way.run("push", "--candidate", "--target", "app", *options)
    promoted = way.run("promote", "--target", "app", *options)
    back = way.run("rollback", "--target", "app", *options)
    assert {row["from"] for row in back} == {row["digest"] for row in promoted}
    assert {row["to"] for row in back}.isdisjoint({row["digest"] for row in promoted})
