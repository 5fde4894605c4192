"""What is kept of a matrix is taken only where everything that it was found from is as it was."""

import json
import socket
import threading
import time
from pathlib import Path

import pytest

from rocmimg import built
from rocmimg.builds.nothing import nothing_to_do
from rocmimg.cli import run
from rocmimg.cli.options import Choice
from rocmimg.matrix import load
from rocmimg.plan import LABEL_CELL, LABEL_DIGEST, make_plan
from rocmimg.plan.memory import KeptPlan, Memory, Sources

MATRIX = """\
targets:
  app:
    gpu_archs: [gfx942]
    base: {cell: ground}
    components:
      own: {source: "local:src"}
  ground: {gpu_archs: [gfx942], base: "debian:testing"}
"""
RECIPE = "description: x\nsources: [local]\nmodule: own\n"
TEMPLATE = '{% extends "components/component.j2" %}{% block install %}RUN true\n{% endblock %}'


@pytest.fixture(scope="module")
def compiled(tmp_path_factory):
    """Compiled templates, the same for every test."""
    return tmp_path_factory.mktemp("templates")


@pytest.fixture
def project(tmp_path, monkeypatch, compiled):
    """A matrix with a recipe and a local source of its own, minutes old, and no memory of it."""
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache/templates").symlink_to(compiled)
    monkeypatch.setenv("ROCMIMG_CACHE", str(tmp_path / "cache"))
    folder = tmp_path / "project"
    monkeypatch.chdir(_written(folder, {
        "images.yaml": MATRIX, "templates/components/own.yaml": RECIPE, "templates/components/own.j2": TEMPLATE,
        "src/code.py": "x = 1\n", "src/.dockerignore": "*.log\n", "src/made.log": "1",
    }))  # fmt: skip
    # A file that is as young as the run may have been written while it was read.
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + 60)
    return folder


def _written(folder, files):
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


def keep(question=None):
    matrix = load(Path("images.yaml"))
    plan = make_plan(matrix, ["app-gfx942"], rootfs=False)
    memory = Memory("build", question or {})
    memory.keep(KeptPlan.rows(plan), Sources.of(matrix, Path("images.lock.yaml"), plan))
    return plan


def recalled(**question):
    return KeptPlan.read(Memory("build", question).recall())


def test_what_was_kept_is_what_the_plan_says(project):
    plan = keep()
    kept = recalled()
    assert [image.id for image in kept.images] == ["ground-gfx942", "app-gfx942"]
    for one, image in zip(kept.images, plan.images, strict=True):
        assert one.digest("sha256:b") == image.digest("sha256:b")
        assert (one.tags, one.needs, one.base) == (image.tags, image.needs, image.base)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("images.yaml", MATRIX + "defaults: {version: v2}\n"),
        ("images.lock.yaml", "schema: 1\n"),
        ("templates/components/own.yaml", RECIPE + "paths: [/x]\n"),
        ("templates/components/own.j2", TEMPLATE.replace("true", "false")),
        ("templates/components/other.yaml", RECIPE),
        ("templates/files/new.py", ""),
        ("src/code.py", "x = 2\n"),
        ("src/new.py", ""),
        ("src/.dockerignore", ""),
    ],
)
def test_a_file_that_changed_is_seen(project, name, text):
    keep()
    assert recalled()
    _written(project, {name: text})
    assert recalled() is None


def test_what_the_build_does_not_see_changes_nothing(project):
    keep()
    _written(project, {"src/made.log": "2", "notes.txt": ""})
    assert recalled()


def test_what_verbs_write_into_a_source_changes_nothing(project):
    _written(project, {"images.yaml": MATRIX.replace("local:src", "local:."), "build/report.json": "1"})
    keep()
    assert recalled()
    _written(project, {"build/report.json": "2"})
    assert recalled()
    _written(project, {"src/code.py": "x = 2\n"})
    assert recalled() is None


def test_another_question_has_another_answer(project, monkeypatch):
    keep({"sets": ["version=v1"]})
    assert recalled() is None
    assert recalled(sets=["version=v1"])
    monkeypatch.chdir(project.parent)
    assert recalled(sets=["version=v1"]) is None


@pytest.mark.parametrize("damage", ["", "{", "[]", '{"sources": {}, "state": 1, "found": []}'])
def test_a_damaged_memory_is_no_answer(project, damage):
    keep()
    (path,) = (project.parent / "cache/plans").iterdir()
    path.write_text(damage)
    assert recalled() is None


def test_a_plan_that_was_kept_with_other_fields_is_no_plan():
    assert KeptPlan.read([{"id": "a"}]) is None
    assert KeptPlan.read("no list of images") is None


def test_a_file_that_is_written_meanwhile_is_not_kept(project, monkeypatch):
    monkeypatch.undo()
    monkeypatch.setenv("ROCMIMG_CACHE", str(project.parent / "cache"))
    monkeypatch.chdir(project)
    memory = Memory("build", {})
    (project / "images.yaml").write_text(MATRIX)
    matrix = load(Path("images.yaml"))
    memory.keep([], Sources.of(matrix, Path("images.lock.yaml")))
    assert memory.recall() is None


def test_old_answers_go(project):
    plan = keep()
    matrix = load(Path("images.yaml"))
    for number in range(70):
        Memory("build", {"n": number}).keep(KeptPlan.rows(plan), Sources.of(matrix, Path("images.lock.yaml"), plan))
    assert len(list((project.parent / "cache/plans").iterdir())) == 64


def test_a_cache_that_cannot_be_written_costs_nothing(project, monkeypatch):
    monkeypatch.setenv("ROCMIMG_CACHE", "/proc/nothing")
    keep()
    assert recalled() is None


def rows(capsys, *args):
    assert run(["list", "--json", *args]) == 0
    return json.loads(capsys.readouterr().out)


def test_list_says_the_same_from_memory(project, capsys):
    first = rows(capsys)
    (path,) = (project.parent / "cache/plans").iterdir()
    assert rows(capsys) == first
    kept = json.loads(path.read_text())
    path.write_text(json.dumps({**kept, "found": {"rows": [{"id": "from memory"}], "extended": {}}}))
    assert rows(capsys) == [{"id": "from memory"}]
    assert rows(capsys, "app") != [{"id": "from memory"}]
    _written(project, {"images.yaml": MATRIX.replace("debian:testing", "debian:stable")})
    assert rows(capsys)[1]["base"] == "debian:stable"


@pytest.fixture
def engine(project, monkeypatch):
    """A socket that answers as Docker does, with these images."""
    path = str(project.parent / "engine.sock")
    monkeypatch.setenv("DOCKER_HOST", f"unix://{path}")
    listening = socket.socket(socket.AF_UNIX)
    listening.bind(path)
    listening.listen()
    said = {"server": "Docker/20.10.24 (linux)", "status": "200 OK", "images": [], "asked": 0}

    def serve():
        while True:
            try:
                link, _ = listening.accept()
            except OSError:
                return
            with link:
                link.recv(4096)
                said["asked"] += 1
                head = f"HTTP/1.0 {said['status']}\r\nServer: {said['server']}\r\n\r\n"
                link.sendall(head.encode() + json.dumps(said["images"]).encode())

    threading.Thread(target=serve, daemon=True).start()
    yield said
    listening.shutdown(socket.SHUT_RDWR)
    listening.close()


@pytest.fixture
def done(engine):
    """Everything is built."""
    base_id, images = "sha256:d", [{"Id": "sha256:d", "RepoTags": ["debian:testing"], "Created": 1}]
    for image in keep().images:
        digest, image_id = image.digest(base_id), f"sha256:{image.id}"
        labels = {LABEL_CELL: image.id, LABEL_DIGEST: digest}
        images.append({"Id": image_id, "RepoTags": list(image.tags), "Labels": labels, "Created": 2})
        built.remember(built.Built(id=image_id, cell=image.id, plan=digest, layers=()))
        base_id = image_id
    engine["images"] = images
    return engine


def result():
    found = nothing_to_do(Memory("build", {}))
    return None if found is None else [(one.id, one.status, one.image_id) for one in found]


def test_nothing_is_to_be_done_where_every_image_is_there(done):
    assert result() == [
        ("ground-gfx942", "up-to-date", "sha256:ground-gfx942"),
        ("app-gfx942", "up-to-date", "sha256:app-gfx942"),
    ]


@pytest.mark.parametrize("gone", [0, 1, 2])
def test_an_image_that_is_gone_is_for_the_build_to_find_out(done, gone):
    del done["images"][gone]
    assert result() is None


@pytest.mark.parametrize(
    "answer", [{"server": "Libpod/4.3.1 (linux)"}, {"status": "500 Internal Server Error"}, {"images": {"a": 1}}]
)
def test_another_answer_is_for_the_client_to_read(done, answer):
    done.update(answer)
    assert result() is None
    assert done["asked"] == 1


def test_an_engine_that_is_not_there_is_for_the_client_to_tell(done, monkeypatch):
    for host in ("unix:///nowhere.sock", "tcp://127.0.0.1:1", "ssh://me@host"):
        monkeypatch.setenv("DOCKER_HOST", host)
        assert result() is None


def test_a_time_stamp_of_the_environment_is_for_the_build_to_judge(done, monkeypatch):
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "yesterday")
    assert result() is None


def test_the_build_says_so_and_writes_its_report(done, project, capsys):
    matrix = load(Path("images.yaml"))
    plan = make_plan(matrix, ["app-gfx942"], rootfs=False)
    sources = Sources.of(matrix, Path("images.lock.yaml"), plan)
    Choice(file=Path("images.yaml")).memory("build").keep(KeptPlan.rows(plan), sources)
    assert run(["build"]) == 0
    assert capsys.readouterr().out.count("up-to-date") == 2
    report = json.loads((project / "build/report.json").read_text())
    assert [(row["id"], row["status"]) for row in report] == [
        ("ground-gfx942", "up-to-date"),
        ("app-gfx942", "up-to-date"),
    ]
    assert done["asked"] == 1
