"""A pipeline of GitLab CI: one job a cell, so that each starts when its own base is there."""

from __future__ import annotations

from typing import Any, Final

from rocmimg.release.pipeline.install import VENV
from rocmimg.release.pipeline.model import CACHE, JUNIT, REPORTS, SIGN, Pipeline, login, logout

_TAG: Final = {"if": "$CI_COMMIT_TAG"}
_NIGHTLY: Final = {"if": '$CI_PIPELINE_SOURCE == "schedule"'}
# A value goes to the shell through the environment, never as text of the script.
_SET_VERSION: Final = """\
case $CI_PIPELINE_SOURCE in
  schedule) export ROCMIMG_VERSION="nightly-$(printf %.10s "$CI_PIPELINE_CREATED_AT" | tr -d -)" ;;
  *) export ROCMIMG_VERSION="${CI_COMMIT_TAG:-}" ;;
esac
"""


def pipeline_file(pipeline: Pipeline) -> dict[str, Any]:
    """The contents of .gitlab-ci.yml as data. Nightlies run from a schedule that is made in GitLab itself."""
    setup, drawing = (
        f'{script}export PATH="$PWD/{VENV}/bin:$PATH"\n' for script in (pipeline.install, pipeline.install_drawing)
    )
    log_in = [_SET_VERSION, *([SIGN] if pipeline.signed else []), *map(login, pipeline.hosts)]
    jobs: dict[str, Any] = {
        "stages": ["check", "build", "test", "promote"],
        "default": {"before_script": [setup], "cache": {"key": "rocmimg", "paths": [CACHE]}},
        "variables": {"ROCMIMG_CACHE": f"$CI_PROJECT_DIR/{CACHE}"},
        "check": {
            "stage": "check",
            "tags": list(pipeline.runner),
            "script": list(pipeline.check),
        },
    }
    publish = {
        "before_script": [drawing, *log_in],
        "after_script": list(map(logout, pipeline.hosts)),
        "rules": [_TAG, *([_NIGHTLY] if pipeline.nightly else [])],
    }
    artifacts = {"when": "always", "paths": list(REPORTS), "reports": {"junit": JUNIT}}
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
        "before_script": [setup, *log_in],
        "environment": "release",
        "resource_group": "images-promote",
        "script": [*pipeline.promote, *_retention(pipeline)],
    }
    return jobs


def _retention(pipeline: Pipeline) -> list[str]:
    if not pipeline.nightly:
        return []
    return [f'if [ "$CI_PIPELINE_SOURCE" = schedule ]; then rocmimg prune --yes {pipeline.selection}; fi']
