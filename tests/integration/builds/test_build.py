"""`rocmimg build` on a real engine, as a user runs it."""

import json
import os
import re
import signal
import socket
import subprocess
import time
import uuid

import pytest

SLOW = 617 + uuid.uuid4().int % 3000
"""Seconds; a number of its own, by which this run's steps are told from others on the machine."""
MATRIX = """
    defaults: {image: rocmimg-test/app, base: "rocmimg-test/base:1"}
    targets:
      good: {gpu_archs: [gfx942], components: {fine: {}}, env: {A: b}}
      bad: {gpu_archs: [gfx942], components: {broken: {}}}
      onbad: {gpu_archs: [gfx942], base: {cell: bad}, components: {fine: {}}}
      slow: {gpu_archs: [gfx942, gfx950], components: {slow: {}}}
"""


@pytest.fixture
def sample(project, small_base):
    made = project(MATRIX)
    made.recipe("fine", "RUN echo fine > /fine\n")
    made.recipe("broken", "RUN echo before the end \\\n && echo to stderr >&2 \\\n && exit 7\n")
    made.recipe("slow", f"RUN sleep {SLOW}\n")
    return made


def test_an_image_is_built_labelled_and_then_up_to_date(sample, host_engine):
    first = sample.json("build", "--target", "good")
    assert [(row["id"], row["status"]) for row in first] == [("good-gfx942", "built")]
    image = host_engine.image("rocmimg-test/app:dev-good-mi30x")
    assert image.id == first[0]["image_id"]
    assert image.env["A"] == "b"
    assert image.labels["io.rocmimg.cell"] == "good-gfx942"
    assert image.labels["io.rocmimg.plan"] == first[0]["digest"]
    assert image.labels["org.opencontainers.image.base.name"] == "rocmimg-test/base:1"
    assert image.labels["org.opencontainers.image.base.digest"] == host_engine.image("rocmimg-test/base:1").id
    assert image.labels["org.opencontainers.image.version"] == "dev"
    assert image.labels["org.opencontainers.image.created"].endswith("Z")
    assert json.loads((sample.folder / "build/report.json").read_text()) == first
    steps = first[0]["steps"]
    assert all(first[0]["started"] <= step["started"] <= step["ended"] for step in steps)
    ours = next(step for step in steps if "echo fine" in step["command"])
    assert (ours["stage"], ours["status"] in ("done", "cached")) == ("final", True)
    if host_engine.info.kind == "docker":  # podman's history does not say which step made a layer
        assert ours["bytes"] == len("fine\n")
    second = sample.json("build", "--target", "good")
    assert [(row["status"], row["image_id"]) for row in second] == [("up-to-date", image.id)]


def test_plan_names_the_input_that_changed(sample):
    assert [row["action"] for row in sample.json("plan", "--target", "good")] == ["build"]
    sample.run("build", "--target", "good")
    assert [row["action"] for row in sample.json("plan", "--target", "good")] == ["up-to-date"]
    sample.recipe("fine", "RUN echo finer > /fine\n")
    (row,) = sample.json("plan", "--target", "good")
    assert row["action"] == "build"
    assert "stage final changed" in row["reasons"]


def test_one_failure_leaves_the_others_alone(sample):
    done = sample.run("build", "good-gfx942", "bad-gfx942", "onbad-gfx942")
    assert done.returncode == 7
    rows = {row["id"]: row for row in json.loads((sample.folder / "build/report.json").read_text())}
    assert {name: row["status"] for name, row in rows.items()} == {
        "good-gfx942": "built",
        "bad-gfx942": "failed",
        "onbad-gfx942": "cancelled",
    }
    assert rows["onbad-gfx942"]["reasons"] == ["its base bad-gfx942 was not built"]
    assert "exit code 7" in done.stdout
    assert "    before the end" in done.stdout
    assert "    to stderr" in done.stdout
    log = sample.folder / "build/logs/bad-gfx942.log"
    assert str(log.relative_to(sample.folder)) in done.stdout
    assert re.search(r"\[final \d+/\d+\] to stderr$", log.read_text(), re.MULTILINE)
    assert [step["status"] for step in rows["bad-gfx942"]["steps"] if "exit 7" in step["command"]] == ["failed"]
    assert rows["onbad-gfx942"]["started"] is None
    assert "Traceback" not in done.stderr


def test_fail_fast_cancels_what_runs(sample):
    began = time.monotonic()
    done = sample.run("build", "bad-gfx942", "slow-gfx942", "--fail-fast")
    assert time.monotonic() - began < 300, "the sleeping build was waited for"
    assert done.returncode == 7
    rows = json.loads((sample.folder / "build/report.json").read_text())
    assert {row["id"]: row["status"] for row in rows} == {"bad-gfx942": "failed", "slow-gfx942": "cancelled"}


def test_a_base_that_cannot_be_pulled(sample):
    done = sample.run("build", "good-gfx942", "bad-gfx942", "--set", "base.image=rocmimg.invalid/no/such:image")
    assert done.returncode == 6
    assert "cannot pull rocmimg.invalid/no/such:image" in done.stdout
    assert "Traceback" not in done.stderr


def test_what_was_built_survives_the_failure_of_a_base(sample):
    sample.run("build", "good-gfx942", "slow-gfx942", "--set", "components.slow.enabled=false")
    done = sample.run("build", "good-gfx942", "bad-gfx942")
    assert "up-to-date" in (sample.folder / "build/report.json").read_text()
    assert done.returncode == 7


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_an_interrupt_stops_the_engines_builds(sample, host_engine, number, code):
    process = sample.start("build", "good-gfx942", "slow-gfx942", "slow-gfx950")
    for line in process.stderr:
        if line.startswith("good-gfx942: built"):
            break
    _wait_for(lambda: _sleepers() >= 1)
    process.send_signal(number)
    _, err = process.communicate(timeout=60)
    assert process.returncode == code, err
    assert "FAILED" not in err
    if host_engine.info.kind == "docker":  # podman lets a step run to its end
        _wait_for(lambda: _sleepers() == 0)
    rows = {row["id"]: row["status"] for row in json.loads((sample.folder / "build/report.json").read_text())}
    assert rows == {"good-gfx942": "built", "slow-gfx942": "cancelled", "slow-gfx950": "cancelled"}
    assert host_engine.image("rocmimg-test/app:dev-good-mi30x")
    assert "Traceback" not in err


def test_an_interrupt_ends_the_pull_of_a_base(sample):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        base = f"127.0.0.1:{silent.getsockname()[1]}/no/such:image"
        process = sample.start("build", "good-gfx942", "bad-gfx942", "--set", f"base.image={base}")
        silent.settimeout(60)
        link, _ = silent.accept()
        process.send_signal(signal.SIGINT)
        try:
            _, err = process.communicate(timeout=30)
        finally:
            process.kill()
            link.close()
    assert process.returncode == 130, err
    assert "Traceback" not in err
    rows = {row["id"]: row["status"] for row in json.loads((sample.folder / "build/report.json").read_text())}
    assert rows == {"good-gfx942": "cancelled", "bad-gfx942": "cancelled"}


def _sleepers() -> int:
    done = subprocess.run(["pgrep", "-fc", f"^sleep {SLOW}$"], capture_output=True, text=True, check=False)
    return int(done.stdout or 0)


def _wait_for(condition) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_a_cell_on_a_cell_follows_it(project, small_base, host_engine):
    sample = project("""
        defaults: {image: rocmimg-test/chain}
        targets:
          ground: {gpu_archs: [{any: [gfx942, gfx950]}], base: "rocmimg-test/base:1", components: {one: {}}}
          app: {gpu_archs: [gfx942], base: {cell: ground}, components: {two: {}}}
    """)
    sample.recipe("one", "RUN echo 1 > /one\n")
    sample.recipe("two", "RUN cat /one > /two\n")
    assert [row["status"] for row in sample.json("build", "--target", "app")] == ["built", "built"]
    assert [row["status"] for row in sample.json("build", "--target", "app")] == ["up-to-date", "up-to-date"]
    sample.recipe("one", "RUN echo 2 > /one\n")
    rows = sample.json("build", "--target", "app")
    assert [row["status"] for row in rows] == ["built", "built"]
    assert rows[1]["reasons"] == ["base image changed"]
    app = host_engine.image("rocmimg-test/chain:dev-app-mi30x")
    assert app.labels["org.opencontainers.image.base.digest"] == rows[0]["image_id"]


def test_values_reach_the_image_as_they_were_written(project, small_base, host_engine):
    env = {
        "QUOTES": 'it\'s "so"',
        "DOLLAR": "$HOME ${PATH} $(reboot) `reboot`",
        "BACKSLASH": "a\\b\\\\c\\",
        "BOTH": "'\\$x'\"",
        "EMPTY": "",
        "SPACES": "  two  spaces  ",
        "HASH": "# no comment",
        "HEREDOC": "<<EOF",
        "UNICODE": "\u00fc\u4e2d",
        "EQUALS": "a=b c=d",
    }
    command = ["sh", "-c", "echo \"$1\" '\\n'", "it's"]
    sample = project(
        json.dumps(
            {
                "targets": {
                    "t": {
                        "gpu_archs": ["gfx942"],
                        "base": small_base,
                        "image": "rocmimg-test/values",
                        "env": env,
                        "command": command,
                        "labels": {"note": env["BOTH"]},
                    },
                }
            }
        )
    )
    (row,) = sample.json("build")
    assert row["status"] == "built", row
    image = host_engine.image("rocmimg-test/values:dev-t-mi30x")
    assert {name: image.env[name] for name in env} == env
    assert list(image.cmd) == command
    assert image.labels["note"] == env["BOTH"]


def test_nothing_of_the_network_settings_stays_in_the_image(project, small_base, host_engine):
    sample = project("""
        targets:
          t:
            gpu_archs: [gfx942]
            base: rocmimg-test/base:1
            image: rocmimg-test/net
            components: {fetch: {}}
            network:
              ca_bundle: ca.pem
              http_proxy: http://user:geheim@proxy.example:3128
              https_proxy: http://user:geheim@proxy.example:3128
              no_proxy: localhost,geheim.example
              pip_index_url: https://geheim.example/simple
              git_mirrors: {"https://github.com/": "https://geheim.example/"}
    """)
    (sample.folder / "ca.pem").write_text("geheim")
    sample.recipe(
        "fetch",
        "{% call m.run(network=true) %}env > /tmp/seen "
        "&& grep -q [g]eheim.example/simple /tmp/seen && grep -q GIT_CONFIG /tmp/seen "
        "&& grep -q ca.pem /tmp/seen && grep -q [g]eheim /run/rocmimg/network/ca.pem && rm /tmp/seen{% endcall %}\n",
    )
    (row,) = sample.json("build")
    assert row["status"] == "built", row
    tag = "rocmimg-test/net:dev-t-mi30x"
    assert "geheim" not in repr(host_engine.image(tag))
    assert not any("geheim" in entry.created_by for entry in host_engine.history(tag))
    from rocmimg.engine import ContainerSpec

    with host_engine.run(ContainerSpec(image=tag)) as container:
        found = container.exec(["grep", "-rl", "geheim", "/etc", "/run", "/tmp", "/var"], timeout=20)
    assert found.stdout == b""


def test_two_cells_are_built_side_by_side(sample):
    sample.recipe("slow", "RUN sleep 3; echo {{ gpu_archs|sh }}\n")
    rows = sample.json("build", "--target", "slow")
    assert [row["status"] for row in rows] == ["built", "built"]
    logs = [(sample.folder / row["log"]).read_text() for row in rows]
    assert all("sleep 3" in log for log in logs)


def test_the_engine_can_be_named_as_docker_does(sample):
    done = sample.run("plan", "--target", "good", DOCKER_HOST=f"unix://{os.devnull}")
    assert done.returncode == 5
