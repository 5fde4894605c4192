"""Pipelines and bake files from a plan."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from rocmimg.errors import ConfigError
from rocmimg.matrix import Matrix
from rocmimg.plan import Plan, make_plan
from rocmimg.release.bake import bake_command, bake_file
from rocmimg.release.pipeline import FORMS, Pipeline, make_pipeline, write

MATRIX = """
targets:
  lower:
    gpu_archs: [{gfx9: [gfx942, gfx950]}]
    base: debian:13
    registry: registry.example
    tags: ["{version}-lower"]
    release: {required_tiers: [image]}
  upper:
    gpu_archs: [gfx942, gfx950]
    base: {cell: lower}
    registry: registry.example
    network: {engine_mode: host}
    runners: {build: [big], gpu: [amd, "{arch}"], gpu_archs: [gfx942]}
"""
CELLS = ("upper-gfx942", "upper-gfx950")


@pytest.fixture
def plan(load_matrix: Callable[..., Matrix]) -> Plan:
    return make_plan(load_matrix(MATRIX), CELLS)


@pytest.fixture
def pipeline(plan: Plan) -> Pipeline:
    return make_pipeline(plan, CELLS, source=".")


def written(pipeline: Pipeline, form: str) -> dict[Any, Any]:
    found = yaml.safe_load(write(pipeline, form))
    assert isinstance(found, dict)
    return found


def test_bases_come_first_and_are_built_once(pipeline: Pipeline) -> None:
    assert [[build.cell for build in level] for level in pipeline.levels] == [["lower-gfx9"], list(CELLS)]
    assert pipeline.levels[1][0].commands == (
        "rocmimg doctor",
        "rocmimg pull --locked lower-gfx9",
        "rocmimg build --locked lower-gfx9 upper-gfx942",
        "rocmimg test --locked --junit build/reports/junit.xml --html build/reports/test.html upper-gfx942",
        "rocmimg push --locked --candidate upper-gfx942",
    )


def test_gpu_tests_go_to_machines_that_there_are(pipeline: Pipeline) -> None:
    assert [(test.cell, test.runner) for test in pipeline.tests] == [("upper-gfx942", ("amd", "gfx942"))]


def test_only_what_was_asked_for_is_promoted(pipeline: Pipeline) -> None:
    assert pipeline.promote == ("rocmimg promote --locked --target upper",)


def test_github_needs_each_level_and_promotes_last(pipeline: Pipeline) -> None:
    jobs = written(pipeline, "github")["jobs"]
    assert {name: job.get("needs") for name, job in jobs.items()} == {
        "check": None,
        "build-0": ["check"],
        "build-1": ["check", "build-0"],
        "test": ["check", "build-1"],
        "promote": ["check", "test"],
    }
    assert jobs["check"]["runs-on"] == ["ubuntu-latest"]
    assert json.loads(jobs["build-1"]["strategy"]["matrix"]["include"][0]["runner"]) == ["big"]
    assert all("registry.example" in json.dumps(jobs[name]) for name in ("build-0", "test", "promote"))
    assert "secrets." not in json.dumps(jobs["check"])


def test_gitlab_starts_a_cell_when_its_own_base_is_there(pipeline: Pipeline) -> None:
    jobs = written(pipeline, "gitlab")
    assert jobs["build lower-gfx9"]["needs"] == ["check"]
    assert jobs["build upper-gfx950"]["needs"] == ["build lower-gfx9"]
    assert jobs["test upper-gfx942 on gfx942"]["needs"] == ["build upper-gfx942"]
    assert jobs["test upper-gfx942 on gfx942"]["tags"] == ["amd", "gfx942"]


def test_buildkite_waits_for_every_test(pipeline: Pipeline) -> None:
    steps = {step["key"]: step for step in written(pipeline, "buildkite")["steps"]}
    assert steps["build-upper-gfx942"]["depends_on"] == "build-lower-gfx9"
    assert steps["promote"]["depends_on"] == ["test-upper-gfx942-gfx942"]
    assert "$$REGISTRY_PASSWORD" in steps["promote"]["command"]
    assert "$${failed:-0}" in steps["test-upper-gfx942-gfx942"]["command"]


def test_every_form_is_the_same_twice_and_says_where_it_comes_from(pipeline: Pipeline) -> None:
    for form in FORMS:
        text = write(pipeline, form)
        assert text == write(pipeline, form)
        assert text.startswith(f"# Written by `rocmimg export ci {form}`")
        assert "&id" not in text


@pytest.mark.parametrize("form", FORMS)
def test_a_version_is_a_value_and_never_text_of_a_script(pipeline: Pipeline, form: str) -> None:
    text = write(pipeline, form)
    assert "ROCMIMG_SET" not in text
    for line in text.splitlines():
        if re.search(r"inputs\.version|github\.ref_name", line):
            assert line.strip().startswith("ROCMIMG_VERSION: ")


@pytest.mark.parametrize("form", FORMS)
def test_a_nightly_has_a_date_and_retention(plan: Plan, form: str) -> None:
    assert "prune" not in write(make_pipeline(plan, CELLS, source="."), form)
    text = write(make_pipeline(plan, CELLS, source=".", nightly="0 3 * * *"), form)
    assert "nightly-" in text
    assert "rocmimg prune --yes --target upper" in text


def test_actions_are_pinned_to_commits(pipeline: Pipeline) -> None:
    uses = re.findall(r"uses: (.*)", write(pipeline, "github"))
    assert uses
    assert all(re.fullmatch(r"[\w/-]+@[0-9a-f]{40} # .*v[\d.]+.*", one) for one in uses)


@pytest.mark.parametrize("place", ["tools/rocmimg-0.1.0.whl", "./tools", f"git+https://h/x.git@{'a' * 40}"])
def test_rocmimg_comes_from_where_it_can_be_had(plan: Plan, place: str) -> None:
    pipeline = make_pipeline(plan, CELLS, source=place)
    assert f"pip install --quiet {place}\n" in pipeline.install
    named = f"'rocmimg[html] @ {place}'" if place.startswith("git+") else f"'{place}[html]'"
    assert f"pip install --quiet {named}\n" in pipeline.install_drawing


@pytest.mark.parametrize("form", FORMS)
def test_what_draws_is_where_pages_are_written(pipeline: Pipeline, form: str) -> None:
    found = written(pipeline, form)
    if form == "buildkite":
        jobs = {step["key"]: json.dumps(step) for step in found["steps"]}
    else:
        jobs = {name: json.dumps(job) for name, job in found.get("jobs", found).items() if isinstance(job, dict)}
        jobs["check"] += json.dumps(found.get("default", {}).get("before_script"))
    assert {name for name, text in jobs.items() if "[html]" in text} == {
        name for name, text in jobs.items() if "--html" in text
    }


@pytest.mark.parametrize("place", ["image:reg.example:5000/tools/rocmimg:v1", f"image:ghcr.io/x@sha256:{'b' * 64}"])
@pytest.mark.parametrize("form", FORMS)
def test_rocmimg_can_come_from_an_image(plan: Plan, place: str, form: str) -> None:
    pipeline = make_pipeline(plan, CELLS, source=place)
    assert f"docker pull --quiet {place.removeprefix('image:')}\n" in pipeline.install
    assert "pip install" not in write(pipeline, form)
    subprocess.run(["sh", "-n"], input=pipeline.install, text=True, check=True)


def test_the_program_for_an_image_hands_over_engine_folder_and_variables(plan: Plan, tmp_path: Path) -> None:
    """With a `docker` that writes down how it was called."""
    script = make_pipeline(plan, CELLS, source="image:reg.example/rocmimg:v1").install
    docker = tmp_path / "bin/docker"
    docker.parent.mkdir()
    docker.write_text(f"#!/bin/sh\nprintf '%s\\n' \"$@\" > {tmp_path}/called\n")
    docker.chmod(0o755)
    env = {"PATH": f"{docker.parent}:{os.environ['PATH']}", "HOME": str(tmp_path), "DOCKER_HOST": "unix:///run/x.sock"}
    env |= {"ROCMIMG_VERSION": "v1; rm -rf /", "GITHUB_STEP_SUMMARY": "/runner/summary/1", "SECRET": "hidden"}
    subprocess.run(["sh", "-euc", script], cwd=tmp_path, env=env, check=True)
    subprocess.run([tmp_path / ".rocmimg/venv/bin/rocmimg", "list", "a b"], cwd=tmp_path, env=env, check=True)
    called = (tmp_path / "called").read_text().splitlines()
    assert called[-3:] == ["reg.example/rocmimg:v1", "list", "a b"]
    options = called[:-3]
    given = {options[at + 1] for at, word in enumerate(options) if word == "--env"}
    assert {"ROCMIMG_VERSION", "ROCMIMG_CACHE", "GITHUB_STEP_SUMMARY"} <= given
    assert not any("SECRET" in one or "rm -rf" in one for one in given)
    mounted = {options[at + 1] for at, word in enumerate(options) if word == "--volume"}
    assert {f"{tmp_path}:{tmp_path}", "/run/x.sock:/var/run/docker.sock", "/runner/summary:/runner/summary"} <= mounted


SIGNED = MATRIX.replace(
    "release: {required_tiers: [image]}", "release: {required_tiers: [image], signers: {ci: ci.pub}}"
)


def test_what_signs_gets_the_key_and_nothing_else(load_matrix: Callable[..., Matrix], plan: Plan) -> None:
    signed = make_pipeline(make_plan(load_matrix(SIGNED), CELLS), CELLS, source=".")
    secret = "secrets.ROCMIMG_SIGNING_KEY"
    steps = [step for job in written(signed, "github")["jobs"].values() for step in job["steps"]]
    with_key = {step["run"].split(" --")[0] for step in steps if secret in json.dumps(step)}
    assert with_key == {"rocmimg push", "rocmimg promote"}
    jobs = written(signed, "gitlab")
    assert "ROCMIMG_SIGNING_KEY" in json.dumps(jobs["promote"])
    assert "ROCMIMG_SIGNING_KEY" not in json.dumps(jobs["check"])
    by_key = {step["key"]: step["command"] for step in written(signed, "buildkite")["steps"]}
    assert "$${ROCMIMG_SIGNING_KEY:-}" in by_key["promote"]
    assert "ROCMIMG_SIGNING_KEY" not in by_key["check"]
    unsigned = make_pipeline(plan, CELLS, source=".")
    assert not any("SIGNING_KEY" in write(unsigned, form).replace("SIGNING\\)", "") for form in FORMS)


def test_the_printed_bake_command_allows_what_the_file_asks_for(load_matrix: Callable[..., Matrix], plan: Plan) -> None:
    assert (
        bake_command(plan.images, Path("build/b ake")) == "cd 'build/b ake' && docker buildx bake --allow network.host"
    )
    without = make_plan(load_matrix(MATRIX.replace("network: {engine_mode: host}", "")), CELLS)
    assert bake_command(without.images, Path("bake")) == "cd bake && docker buildx bake"


@pytest.mark.parametrize(
    "place",
    [
        "image:rocmimg",
        "image:a b:1",
        "image:x:1;y",
        "rocmimg",
        "rocmimg==1.0",
        "git+https://host/x.git",
        "--index-url=x",
        "a b.txt",
    ],
)
def test_rocmimg_comes_from_no_package_of_that_name(plan: Plan, place: str) -> None:
    with pytest.raises(ConfigError, match="--rocmimg"):
        make_pipeline(plan, CELLS, source=place)


def test_an_unknown_field_of_a_label_is_named(load_matrix: Callable[..., Matrix]) -> None:
    matrix = load_matrix(MATRIX.replace("{arch}", "{gpu}"))
    with pytest.raises(ConfigError, match=r"images\.yaml:13: a label of runners\.gpu has an unknown field.*gpu"):
        make_pipeline(make_plan(matrix, CELLS), CELLS, source=".")


def test_bake_links_cells_instead_of_pulling_them(plan: Plan) -> None:
    found = bake_file(plan.images, cache="registry.example/cache")
    assert found["group"]["default"]["targets"] == ["lower-gfx9", *CELLS]
    upper = found["target"]["upper-gfx942"]
    assert upper["contexts"] == {"registry.example/rocmimg:dev-lower": "target:lower-gfx9"}
    assert upper["network"] == "host"
    assert upper["tags"] == ["registry.example/rocmimg:dev-upper-mi30x"]
    assert upper["cache-from"] == [{"type": "registry", "ref": "registry.example/cache:upper-gfx942"}]
    lower = bake_file(plan.images)["target"]["lower-gfx9"]
    assert not {"cache-to", "contexts", "network"} & lower.keys()


def test_bake_names_the_secret_of_a_store_and_no_more(load_matrix: Callable[..., Matrix]) -> None:
    matrix = load_matrix(MATRIX, "cache.compiler=sccache")
    targets = bake_file(make_plan(matrix, CELLS).images)["target"]
    assert {json.dumps(target["secret"]) for target in targets.values()} == {
        '[{"type": "env", "id": "rocmimg.sccache", "env": "ROCMIMG_SCCACHE_STORE"}]'
    }
    assert "secret" not in bake_file(make_plan(load_matrix(MATRIX), CELLS).images)["target"]["lower-gfx9"]
