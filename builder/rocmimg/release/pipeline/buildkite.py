"""A pipeline of Buildkite."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Final

from rocmimg.registry.reference import HUB
from rocmimg.release.pipeline.model import Pipeline

_PUBLISH: Final = "build.tag != null"
_ARTIFACTS: Final = ["build/junit.xml", "build/report.json", "build/logs/*", "build/results/*"]


def pipeline_file(pipeline: Pipeline) -> dict[str, Any]:
    """The contents of pipeline.yml as data. Agents are chosen by the queue that is the last label of a runner."""
    # `$$` keeps Buildkite from filling in a variable when the pipeline is uploaded, where secrets are not set.
    login = [
        'printf %s "$$REGISTRY_PASSWORD" | docker login --username "$$REGISTRY_USER" --password-stdin'
        + ("" if host == HUB else f" {host}")
        for host in pipeline.hosts
    ]
    version = 'export ROCMIMG_SET="version=$$BUILDKITE_TAG"'

    def step(label: str, key: str, runner: Sequence[str], commands: Sequence[str], **more: Any) -> dict[str, Any]:
        script = [command.replace("$", "$$") for command in (pipeline.install, *commands)]
        return {
            "label": label,
            "key": key,
            "agents": {"queue": runner[-1] if runner else "default"},
            "command": "\n".join(("set -eu", *([version, *login] if more else []), *script)),
            **more,
        }

    steps = [step("check", "check", pipeline.runner, pipeline.check)]
    for build in pipeline.builds:
        needs = f"build-{_key(build.bases[-1])}" if build.bases else "check"
        more = {"depends_on": needs, "if": _PUBLISH, "timeout_in_minutes": 720, "artifact_paths": _ARTIFACTS}
        steps.append(step(f"build {build.cell}", f"build-{_key(build.cell)}", build.runner, build.commands, **more))
    tests = []
    for test in pipeline.tests:
        key = f"test-{_key(test.cell)}-{_key(test.arch)}"
        tests.append(key)
        needs = f"build-{_key(test.cell)}"
        more = {"depends_on": needs, "if": _PUBLISH, "timeout_in_minutes": 120, "artifact_paths": _ARTIFACTS}
        steps.append(step(f"test {test.cell} on {test.arch}", key, test.runner, test.commands, **more))
    before = tests or [f"build-{_key(build.cell)}" for build in pipeline.builds]
    more = {"depends_on": before, "if": _PUBLISH, "concurrency": 1, "concurrency_group": "rocmimg-promote"}
    steps.append(step("promote", "promote", pipeline.runner, pipeline.promote, **more))
    return {"steps": steps}


def _key(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9_:-]", "_", name)
