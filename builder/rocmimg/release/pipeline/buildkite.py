"""A pipeline of Buildkite."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Final

from rocmimg.release.pipeline.install import VENV
from rocmimg.release.pipeline.model import REPORTS, SIGN, Pipeline, login, logout

_PUBLISH: Final = "build.tag != null"
_SCHEDULED: Final = "build.source == 'schedule'"
_ARTIFACTS: Final = [f"{path}/*" if "." not in path else path for path in REPORTS]
# Nightlies of all steps have the date on which the pipeline began.
_SET_VERSION: Final = """\
if [ "$BUILDKITE_SOURCE" = schedule ]; then
  export ROCMIMG_VERSION="nightly-$(buildkite-agent meta-data get date)"
else
  export ROCMIMG_VERSION="${BUILDKITE_TAG:-}"
fi"""


def pipeline_file(pipeline: Pipeline) -> dict[str, Any]:
    """The contents of pipeline.yml as data. Agents are chosen by the queue that is the last label of a runner."""
    # `$$` keeps Buildkite from filling in a variable when the pipeline is uploaded, where secrets are not set.
    before = [login(host).replace("$", "$$") for host in pipeline.hosts]
    after = list(map(logout, pipeline.hosts))
    publish = f"{_PUBLISH} || {_SCHEDULED}" if pipeline.nightly else _PUBLISH
    path = f'export PATH="$PWD/{VENV}/bin:$PATH"'

    for_publish = [_SET_VERSION, *([SIGN] if pipeline.signed else [])]

    def step(label: str, key: str, runner: Sequence[str], commands: Sequence[str], **more: Any) -> dict[str, Any]:
        install = pipeline.install_drawing if "artifact_paths" in more else pipeline.install
        setup = f"{install}{path}"
        script = [command.replace("$", "$$") for command in (setup, *(for_publish if more else []), *commands)]
        return {
            "label": label,
            "key": key,
            "agents": {"queue": runner[-1] if runner else "default"},
            "command": "\n".join(("set -eu", *(_ended(before, after) if more else []), *script)),
            **more,
        }

    date = 'buildkite-agent meta-data set date "$(date --utc +%Y%m%d)"'
    steps = [step("check", "check", pipeline.runner, [*([date] if pipeline.nightly else []), *pipeline.check])]
    for build in pipeline.builds:
        needs = f"build-{_key(build.bases[-1])}" if build.bases else "check"
        more = {"depends_on": needs, "if": publish, "timeout_in_minutes": 720, "artifact_paths": _ARTIFACTS}
        steps.append(
            step(
                f"build {build.cell}",
                f"build-{_key(build.cell)}",
                build.runner,
                build.commands,
                **more,
            )
        )
    tests = []
    for test in pipeline.tests:
        key = f"test-{_key(test.cell)}-{_key(test.arch)}"
        tests.append(key)
        needs = f"build-{_key(test.cell)}"
        more = {"depends_on": needs, "if": publish, "timeout_in_minutes": 120, "artifact_paths": _ARTIFACTS}
        steps.append(step(f"test {test.cell} on {test.arch}", key, test.runner, test.commands, **more))
    retention = (
        [f'if [ "$BUILDKITE_SOURCE" = schedule ]; then rocmimg prune --yes {pipeline.selection}; fi']
        if pipeline.nightly
        else []
    )
    proofs = tests or [f"build-{_key(build.cell)}" for build in pipeline.builds]
    more = {"depends_on": proofs, "if": publish, "concurrency": 1, "concurrency_group": "rocmimg-promote"}
    steps.append(step("promote", "promote", pipeline.runner, [*pipeline.promote, *retention], **more))
    return {"steps": steps}


def _ended(before: Sequence[str], after: Sequence[str]) -> list[str]:
    """Log in, and out again however the step ends."""
    return [f"trap '{'; '.join(after)}' EXIT", *before] if before else []


def _key(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9_:-]", "_", name)
