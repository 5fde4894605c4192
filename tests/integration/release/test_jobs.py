"""The shell steps of generated pipelines, run as their CI would, on this machine or in a container of another system.

A project with a Dockerfile that copies all of its folder, and a target that starts from that image: two levels of
builds, a registry with passwords on loopback, and the engine that is here. In every run only GitHub's, on this machine
and with the environment of the tests. ROCMIMG_TEST_RUNNERS names systems for all of them: this-machine, debian-12,
debian-testing, ubuntu-22.04, ubuntu-24.04; in containers of those the jobs install rocmimg from its wheel.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path

import pytest
from package.conftest import wheel

from release.jobs import GitHub, Job, Machine, buildkite_steps, gitlab_jobs
from release.registries import USERS, docker_login, running
from release.systems import HERE, SYSTEMS, system
from rocmimg.engine import BuildRequest
from rocmimg.engine.client import Engine
from rocmimg.engine.context import ContextFile
from rocmimg.engine.reach import closure
from rocmimg.registry import parse
from rocmimg.registry.client import Registries
from rocmimg.release.pipeline.install import VENV
from rocmimg.release.pipeline.model import CACHE, REPORTS

__all__ = ["wheel"]
pytestmark = pytest.mark.engine
BASE = f"rocmimg-jobs/python-{os.getpid()}:1"
MATRIX = """\
defaults:
  registry: {host}/team
  image: app
  tags: ["{{version}}-{{target}}-{{alias}}"]
  release: {{required_tiers: [image, import]}}
targets:
  lower:
    gpu_archs: [gfx942]
    dockerfile: Dockerfile
    contents: {{hello: {{}}}}
  app:
    gpu_archs: [gfx942]
    base: {{cell: lower}}
    aliases: ["{{alias}}-latest"]
    env: {{WHERE: upper}}
  gpu:
    gpu_archs: [gfx942]
    base: {{cell: lower}}
    aliases: ["{{target}}-latest"]
    runners: {{gpu: [self-hosted, "{{arch}}"]}}
    release: {{required_tiers: [image, gpu]}}
"""
SECRETS = {"REGISTRY_USER": "writer", "REGISTRY_PASSWORD": USERS["writer"]}
NIGHTLY = "17 3 * * *"
whole = pytest.mark.skipif(not SYSTEMS, reason="not run: ROCMIMG_TEST_RUNNERS names no system; a minute each")


@pytest.fixture(scope="module")
def python_base(host_engine: Engine, small_base: str) -> Iterator[str]:
    """The small base, and this machine's Python."""
    library = Path(sysconfig.get_path("stdlib"))
    skipped = {"test", "idlelib", "site-packages", "dist-packages", "__pycache__", "lib2to3", "tkinter", "ensurepip"}
    program = Path(sys.executable).resolve()
    files = [one for one in library.rglob("*") if one.is_file() and not skipped & set(one.relative_to(library).parts)]
    modules = [one for one in files if one.suffix == ".so"]
    found = {one.path: one for one in closure(program, *modules)}
    found |= {f"root{one}": ContextFile(path=f"root{one}", data=one, mode=0o755) for one in files}
    found["root/usr/bin/python3"] = ContextFile(path="root/usr/bin/python3", link=str(program), mode=0o777)
    ours = "dist" if program.is_relative_to("/usr/bin") else "site"  # where Debian's own Python looks
    place = f"root{library}/{ours}-packages/app.pth"
    found[place] = ContextFile(path=place, data=b"/app\n")
    text = f"FROM {small_base}\nCOPY root /\n"
    host_engine.build(BuildRequest(dockerfile=text, context=tuple(found.values()), tags=(BASE,)), lambda _: None)
    yield BASE
    host_engine.remove(BASE, force=True)


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """With passwords."""
    with running(tmp_path_factory.mktemp("registry"), password=True) as host:
        yield host


@pytest.fixture(scope="module")
def repository(
    python_base: str,
    registry: str,
    host_engine: Engine,
    tmp_path_factory: pytest.TempPathFactory,
    request: pytest.FixtureRequest,
) -> Iterator[Path]:
    """A project under git, with a lock and its pipelines, and with rocmimg's wheel where jobs install it."""
    folder = tmp_path_factory.mktemp("repository")
    (folder / "hello").mkdir()
    (folder / "tools").mkdir()
    (folder / "hello/__init__.py").write_text("SAID = 'hello'\n")
    (folder / "Dockerfile").write_text(f"FROM {python_base}\nWORKDIR /app\nCOPY . .\n")
    (folder / "images.yaml").write_text(MATRIX.format(host=registry))
    place = folder / "tools/rocmimg.whl"
    if set(SYSTEMS) - {HERE}:
        place = Path(shutil.copy(request.getfixturevalue("wheel"), folder / "tools"))
    export = ["export", "ci", "--rocmimg", f"tools/{place.name}", "--nightly", NIGHTLY]
    rocmimg(folder, "lock")
    for form in ("github", "gitlab", "buildkite"):
        rocmimg(folder, *export, form, "--target", "app", "--output", f"{form}.yml")
    rocmimg(folder, *export, "github", "--target", "gpu", "--output", "gpu.yml")
    git = ["git", "-C", folder, "-c", "user.name=t", "-c", "user.email=t@t", "-c", "commit.gpgsign=false"]
    for words in (["init", "--quiet"], ["add", "--all"], ["commit", "--quiet", "--message", "all"]):
        subprocess.run([*git, *words], check=True)
    yield folder
    remove_images(host_engine, registry)


def rocmimg(folder: Path, *words: str) -> None:
    subprocess.run([sys.executable, "-m", "rocmimg", *words], cwd=folder, check=True, stdout=subprocess.DEVNULL)


def remove_images(engine: Engine, host: str) -> None:
    for image in engine.images():
        for name in (*image.tags, *image.digests):
            if name.startswith(f"{host}/"):
                engine.remove(name, force=True)


@pytest.fixture(scope="module", params=SYSTEMS or [HERE])
def machine(
    request: pytest.FixtureRequest,
    repository: Path,
    registry: str,
    host_engine: Engine,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Machine]:
    folder = tmp_path_factory.mktemp("machine")
    packaging = {name: value for name, value in os.environ.items() if re.match(r"PIP_|UV_|SSL_CERT_|\w+_proxy$", name)}
    if request.param == HERE:
        environment = packaging | {"DOCKER_HOST": host_engine.info.url}
        made = folder / "kept/bin"
        made.mkdir(parents=True)
        (made / "rocmimg").symlink_to(Path(sys.executable).with_name("rocmimg"))
        yield Machine(folder=folder, project=repository, environment=environment, index=f"http://{registry}/")
        return
    with system(request.param, host_engine, folder) as inside:
        yield Machine(folder=folder, project=repository, environment=packaging, inside=inside)


def names(host: str) -> dict[str, str | None]:
    """Public names of the repository."""
    repository = Registries().repository(parse(f"{host}/team/app"))
    return {tag: repository.digest(tag) for tag in repository.tags() if not tag.startswith(("candidate-", "sha256-"))}


@pytest.fixture
def public(registry: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The registry, which this test can read."""
    docker_login(tmp_path / "docker", registry)
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path / "docker"))
    return registry


def run_all(workflow: GitHub, engine: Engine, host: str) -> list[tuple[str, Job]]:
    """Each job on a machine that has no image of the jobs before."""
    done = []
    for name, row in workflow.jobs():
        remove_images(engine, host)
        done.append((name, workflow.run(name, row)))
    return done


def test_a_nightly_of_github_goes_from_check_to_promotion(machine: Machine, public: str, host_engine: Engine) -> None:
    event = {"event_name": "schedule", "ref_type": "branch", "ref_name": "main"}
    workflow = GitHub(machine.project / "github.yml", machine, event=event, secrets=SECRETS)
    jobs = run_all(workflow, host_engine, public)
    assert [name for name, _ in jobs] == ["check", "build-0", "build-1", "promote"], machine.said
    assert [step for _, job in jobs for step in job.failed] == [], machine.said
    (date,) = [job.outputs["date"] for name, job in jobs if name == "check"]
    found = names(public)
    assert found[f"nightly-{date}-app-mi30x"] == found["mi30x-latest"]
    (_, lower, upper, promote) = (job for _, job in jobs)
    for job in (lower, upper):
        assert set(REPORTS) <= set(job.artifacts)
        assert "passed" in job.summary
    assert "latest" in promote.summary
    assert not machine.logged_in
    assert SECRETS["REGISTRY_PASSWORD"] not in machine.said


def test_a_pull_request_of_github_is_checked_and_annotated(machine: Machine) -> None:
    event = {"event_name": "pull_request", "ref_type": "branch", "ref_name": "1/merge"}
    event |= {"event": {"pull_request": {"head": {"repo": {"full_name": "somebody/app"}}}}}
    workflow = GitHub(machine.project / "github.yml", machine, event=event, secrets={})
    ((name, job),) = [(name, workflow.run(name, row)) for name, row in workflow.jobs()]
    assert (name, job.failed) == ("check", []), machine.said
    assert job.outcomes["Show in code scanning"] == "skipped", "a fork may not write there"
    sarif = json.loads((machine.checkout / "build/reports/check.sarif").read_text())
    assert sarif["version"] == "2.1.0"


@whole
def test_without_a_gpu_the_job_fails_and_what_was_found_stays_with_the_candidate(
    machine: Machine, public: str, host_engine: Engine
) -> None:
    event = {"event_name": "push", "ref_type": "tag", "ref_name": "v1"}
    workflow = GitHub(machine.project / "gpu.yml", machine, event=event, secrets=SECRETS)
    jobs = run_all(workflow, host_engine, public)
    assert [name for name, _ in jobs] == ["check", "build-0", "build-1", "test"], machine.said
    (test,) = [job for name, job in jobs if name == "test"]
    assert test.failed == ["Check"], machine.said
    assert test.outcomes["Attach the results"] == "success"
    assert "no AMD GPU" in test.summary
    assert "gpu-latest" not in names(public)


@whole
def test_gitlabs_jobs_go_from_check_to_promotion(machine: Machine, public: str, host_engine: Engine) -> None:
    given = SECRETS | {"CI": "true", "CI_COMMIT_TAG": "v2", "CI_PIPELINE_SOURCE": "push"}
    given |= {"CI_PROJECT_DIR": str(machine.checkout), "ROCMIMG_CACHE": str(machine.checkout / CACHE)}
    file = machine.project / "gitlab.yml"
    for name, script, after in gitlab_jobs(file, stages=("check", "build", "test", "promote")):
        remove_images(host_engine, public)
        machine.check_out()
        env = given if name != "check" else {k: v for k, v in given.items() if k not in SECRETS}
        code = machine.shell(kept(script, machine), env, "bash", "-eo", "pipefail")
        assert code == 0, f"{name}\n{machine.said}"
        machine.shell(after, env, "bash", "-eo", "pipefail")
        assert not machine.logged_in
    found = names(public)
    assert found["v2-app-mi30x"] == found["mi30x-latest"]


@whole
def test_buildkites_steps_go_from_check_to_promotion(machine: Machine, public: str, host_engine: Engine) -> None:
    given = SECRETS | {"CI": "true", "BUILDKITE_SOURCE": "schedule", "BUILDKITE_TAG": ""}
    agent = machine.folder / "bin/buildkite-agent"
    agent.parent.mkdir(exist_ok=True)
    agent.write_text(AGENT.format(store=machine.folder))
    agent.chmod(0o755)
    given["PATH"] = str(agent.parent)
    for name, command in buildkite_steps(machine.project / "buildkite.yml"):
        remove_images(host_engine, public)
        machine.check_out()
        assert machine.shell(kept(command, machine), given, "sh", "-e") == 0, f"{name}\n{machine.said}"
        assert not machine.logged_in
    date = (machine.folder / "date").read_text().strip()
    found = names(public)
    assert found[f"nightly-{date}-app-mi30x"] == found["mi30x-latest"]


AGENT = """\
#!/bin/sh -eu
case "$2" in
  set) printf '%s\\n' "$4" > "{store}/$3" ;;
  get) cat "{store}/$3" ;;
esac
"""


def kept(script: str, machine: Machine) -> str:
    """Without the installation, where an earlier job has made it."""
    if not (machine.checkout / VENV).exists():
        return script
    head, start, rest = script.partition("if python3 -c")
    _, _, after = rest.partition(f"{VENV}/bin/pip install")
    return head + after.partition("\n")[2] if start else script
