"""A workflow of GitHub Actions."""

from __future__ import annotations

import json
from typing import Any, Final

from rocmimg.registry.reference import HUB
from rocmimg.release.pipeline.model import Build, Pipeline, Test

CHECKOUT: Final = "actions/checkout@v4"
UPLOAD: Final = "actions/upload-artifact@v4"
_PUBLISH: Final = "github.event_name != 'pull_request'"
# A value goes to the shell through the environment, never as text of the script.
_VERSION: Final = {"ROCMIMG_SET": "version=${{ inputs.version || github.ref_name }}"}


def workflow(pipeline: Pipeline) -> dict[str, Any]:
    """The workflow as data."""
    jobs: dict[str, Any] = {
        "check": {
            "name": "Check before the build",
            "runs-on": list(pipeline.runner),
            "timeout-minutes": 30,
            "steps": [*_setup(pipeline, login=False), *({"run": command} for command in pipeline.check)],
        }
    }
    previous = "check"
    for number, level in enumerate(pipeline.levels):
        name = "build" if len(pipeline.levels) == 1 else f"build-{number}"
        jobs[name] = _build(pipeline, level, previous)
        previous = name
    if pipeline.tests:
        jobs["test"] = _test(pipeline, pipeline.tests, previous)
        previous = "test"
    jobs["promote"] = {
        "name": "Promote",
        "needs": previous,
        "runs-on": list(pipeline.runner),
        "timeout-minutes": 30,
        "environment": "release",
        "env": _VERSION,
        "steps": [*_setup(pipeline, login=True), *({"run": command} for command in pipeline.promote)],
    }
    return {
        "name": "Images",
        "on": {
            "pull_request": {},
            "push": {"tags": ["v*"]},
            "workflow_dispatch": {
                "inputs": {"version": {"description": "Version of the images", "required": True, "type": "string"}}
            },
        },
        "permissions": {"contents": "read"},
        "concurrency": {"group": "images-${{ github.ref }}", "cancel-in-progress": False},
        "jobs": jobs,
    }


def _setup(pipeline: Pipeline, *, login: bool) -> list[dict[str, Any]]:
    steps: list[dict[str, Any]] = [
        {"uses": CHECKOUT, "with": {"persist-credentials": False}},
        {"name": "Install rocmimg", "run": pipeline.install},
    ]
    for host in pipeline.hosts if login else ():
        where = "" if host == HUB else f" {host}"
        steps.append(
            {
                "name": f"Log in to {host}",
                "env": {
                    "REGISTRY_USER": "${{ secrets.REGISTRY_USER }}",
                    "REGISTRY_PASSWORD": "${{ secrets.REGISTRY_PASSWORD }}",
                },
                "run": 'printf %s "$REGISTRY_PASSWORD" | '
                f'docker login --username "$REGISTRY_USER" --password-stdin{where}',
            }
        )
    return steps


def _build(pipeline: Pipeline, level: tuple[Build, ...], needs: str) -> dict[str, Any]:
    with_bases = any(build.bases for build in level)
    rows = [
        {
            "cell": build.cell,
            **({"bases": " ".join(build.bases)} if with_bases else {}),
            "runner": json.dumps(build.runner),
        }
        for build in level
    ]
    bases = "${{ matrix.bases }} " if with_bases else ""
    steps = [
        {"name": "Build", "run": f"rocmimg build --locked {bases}${{{{ matrix.cell }}}}"},
        {"name": "Check", "run": "rocmimg test --locked --junit build/junit.xml ${{ matrix.cell }}"},
        {"name": "Push the candidate", "run": "rocmimg push --locked --candidate ${{ matrix.cell }}"},
    ]
    if with_bases:
        steps.insert(0, {"name": "Bring the base", "run": "rocmimg pull --locked ${{ matrix.bases }}"})
    return {
        "name": "Build ${{ matrix.cell }}",
        "needs": needs,
        "if": _PUBLISH,
        "runs-on": "${{ fromJSON(matrix.runner) }}",
        "timeout-minutes": 720,
        "env": _VERSION,
        "strategy": {"fail-fast": False, "matrix": {"include": rows}},
        "steps": [*_setup(pipeline, login=True), *steps, _report("build")],
    }


def _test(pipeline: Pipeline, tests: tuple[Test, ...], needs: str) -> dict[str, Any]:
    rows = [{"cell": test.cell, "arch": test.arch, "runner": json.dumps(test.runner)} for test in tests]
    steps = [
        {"name": "Bring the candidate", "id": "pull", "run": "rocmimg pull --locked ${{ matrix.cell }}"},
        {"name": "Check", "run": "rocmimg test --locked --require-gpu --junit build/junit.xml ${{ matrix.cell }}"},
        {
            # What a failed check found belongs to the candidate as well: the gate reads it.
            "name": "Attach the results",
            "if": "!cancelled() && steps.pull.outcome == 'success'",
            "run": "rocmimg push --locked --results ${{ matrix.cell }}",
        },
    ]
    return {
        "name": "Test ${{ matrix.cell }} on ${{ matrix.arch }}",
        "needs": needs,
        "runs-on": "${{ fromJSON(matrix.runner) }}",
        "timeout-minutes": 120,
        "env": _VERSION,
        "strategy": {"fail-fast": False, "matrix": {"include": rows}},
        "steps": [*_setup(pipeline, login=True), *steps, _report("test")],
    }


def _report(kind: str) -> dict[str, Any]:
    suffix = "-${{ matrix.arch }}" if kind == "test" else ""
    return {
        "if": "always()",
        "uses": UPLOAD,
        "with": {
            "name": f"{kind}-${{{{ matrix.cell }}}}{suffix}",
            "path": "build/junit.xml\nbuild/report.json\nbuild/logs\nbuild/results\n",
            "if-no-files-found": "ignore",
        },
    }
