"""A pipeline of GitLab CI: one job a cell, so that each starts when its own base is there."""

from __future__ import annotations

from typing import Any, Final

from rocmimg.registry.reference import HUB
from rocmimg.release.pipeline.model import Pipeline

_PUBLISH: Final = [{"if": "$CI_COMMIT_TAG"}]
_VERSION: Final = {"ROCMIMG_SET": "version=$CI_COMMIT_TAG"}


def pipeline_file(pipeline: Pipeline) -> dict[str, Any]:
    """The contents of .gitlab-ci.yml as data."""
    jobs: dict[str, Any] = {
        "stages": ["check", "build", "test", "promote"],
        "default": {"before_script": [pipeline.install]},
        "check": {"stage": "check", "tags": list(pipeline.runner), "script": list(pipeline.check)},
    }
    login = [
        'printf %s "$REGISTRY_PASSWORD" | docker login --username "$REGISTRY_USER" --password-stdin'
        + ("" if host == HUB else f" {host}")
        for host in pipeline.hosts
    ]
    publish = {"before_script": [pipeline.install, *login], "rules": _PUBLISH, "variables": _VERSION}
    artifacts = {
        "when": "always",
        "paths": ["build/report.json", "build/logs", "build/results"],
        "reports": {"junit": "build/junit.xml"},
    }
    for build in pipeline.builds:
        jobs[f"build {build.cell}"] = {
            "stage": "build",
            "needs": [f"build {build.bases[-1]}" if build.bases else "check"],
            "tags": list(build.runner),
            **publish,
            "timeout": "12 hours",
            "script": list(build.commands),
            "artifacts": artifacts,
        }
    for test in pipeline.tests:
        jobs[f"test {test.cell} on {test.arch}"] = {
            "stage": "test",
            "needs": [f"build {test.cell}"],
            "tags": list(test.runner),
            **publish,
            "timeout": "2 hours",
            "script": ["\n".join(test.commands)],
            "artifacts": artifacts,
        }
    jobs["promote"] = {
        "stage": "promote",
        "tags": list(pipeline.runner),
        **publish,
        "environment": "release",
        "script": list(pipeline.promote),
    }
    return jobs
