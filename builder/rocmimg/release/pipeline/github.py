"""A workflow of GitHub Actions."""

from __future__ import annotations

import json
from pathlib import PurePosixPath
from typing import Any, Final

from rocmimg.release.pipeline.install import VENV
from rocmimg.release.pipeline.model import (
    CACHE,
    REPORTS,
    SIGNING_KEY,
    TEST_REPORTS,
    Build,
    Pipeline,
    Test,
    login,
    logout,
)

# By commit: a tag of an action can be moved.
CHECKOUT: Final = "actions/checkout@3d3c42e5aac5ba805825da76410c181273ba90b1"
UPLOAD: Final = "actions/upload-artifact@bbbca2ddaa5d8feaa63e36b76fdaad77386f024f"
CACHE_ACTION: Final = "actions/cache@27d5ce7f107fe9357f9df03efb73ab90386fccae"
SARIF: Final = "github/codeql-action/upload-sarif@8aad20d150bbac5944a9f9d289da16a4b0d87c1e"
VERSIONS: Final = {
    CHECKOUT: "v7.0.1",
    UPLOAD: "v7.0.0",
    CACHE_ACTION: "zizmor: ignore[cache-poisoning] v5.0.5, restored in pull requests only",
    SARIF: "v4.36.2",
}
"""Written behind each as a comment."""
_SARIF_FILE: Final = PurePosixPath("build/reports/check.sarif")
_REPORTS: Final = f'{TEST_REPORTS} --markdown "$GITHUB_STEP_SUMMARY"'
_PUBLISH: Final = "github.event_name != 'pull_request'"
# A value goes to the shell through the environment, never as text of the script. An empty one is the version that
# images.yaml names; a nightly one is set by _NIGHTLY.
_ENV: Final = {
    "ROCMIMG_VERSION": "${{ inputs.version || (github.ref_type == 'tag' && github.ref_name) || '' }}",
    "ROCMIMG_CACHE": "${{ github.workspace }}/" + CACHE,
}
_NIGHTLY: Final = {
    "name": "Date of a nightly",
    "if": "github.event_name == 'schedule'",
    "env": {"STARTED": "${{ needs.check.outputs.date }}"},
    "run": 'echo "ROCMIMG_VERSION=nightly-$STARTED" >> "$GITHUB_ENV"',
}


def workflow(pipeline: Pipeline) -> dict[str, Any]:
    """The workflow as data."""
    jobs: dict[str, Any] = {"check": _check(pipeline)}
    previous = ["check"]
    for number, level in enumerate(pipeline.levels):
        name = "build" if len(pipeline.levels) == 1 else f"build-{number}"
        jobs[name] = _build(pipeline, level, previous)
        previous = ["check", name]
    if pipeline.tests:
        jobs["test"] = _test(pipeline, pipeline.tests, previous)
        previous = ["check", "test"]
    jobs["promote"] = _promote(pipeline, previous)
    return {
        "name": "Images",
        "on": {
            "pull_request": {},
            "push": {"tags": ["v*"]},
            **({"schedule": [{"cron": pipeline.nightly}]} if pipeline.nightly else {}),
            "workflow_dispatch": {
                "inputs": {"version": {"description": "Version of the images", "required": True, "type": "string"}}
            },
        },
        "permissions": {},
        "concurrency": {
            "group": "images-${{ github.event_name }}-${{ github.ref }}",
            "cancel-in-progress": "${{ github.event_name == 'pull_request' }}",
        },
        "env": _ENV,
        "jobs": jobs,
    }


def _check(pipeline: Pipeline) -> dict[str, Any]:
    return {
        "name": "Check before the build",
        "runs-on": list(pipeline.runner),
        "timeout-minutes": 30,
        "permissions": {"contents": "read", "security-events": "write"},
        "outputs": {"date": "${{ steps.date.outputs.date }}"},
        "steps": [
            *_setup(pipeline),
            {"id": "date", "run": 'echo "date=$(date --utc +%Y%m%d)" >> "$GITHUB_OUTPUT"'},
            {
                "name": "Clones that the contract reads",
                "uses": CACHE_ACTION,
                "with": {
                    "path": CACHE,
                    "key": "rocmimg-${{ hashFiles('images.yaml', 'images.lock.yaml') }}",
                    "restore-keys": "rocmimg-",
                    # What is published reads no cache that other runs can write.
                    "lookup-only": "${{ github.event_name != 'pull_request' }}",
                },
            },
            {"name": "Annotations", "run": f"{pipeline.check[0]} --format github"},
            {
                "name": "SARIF",
                "if": "!cancelled()",
                "run": f"mkdir -p {_SARIF_FILE.parent}\n"
                f"{pipeline.check[0]} --format sarif > {_SARIF_FILE} || true  # the step before decides\n",
            },
            {
                "name": "Show in code scanning",
                # A pull request of a fork has no right to write there.
                "if": "!cancelled() && (github.event_name != 'pull_request' || "
                "github.event.pull_request.head.repo.full_name == github.repository)",
                "uses": SARIF,
                "with": {"sarif_file": str(_SARIF_FILE)},
            },
        ],
    }


def _setup(pipeline: Pipeline, *, engine: bool = False) -> list[dict[str, Any]]:
    """Sources, rocmimg and, where something is published, the engine and the registries."""
    script = pipeline.install_drawing if engine else pipeline.install
    steps: list[dict[str, Any]] = [
        {"uses": CHECKOUT, "with": {"persist-credentials": False}},
        {"name": "Install rocmimg", "run": f'{script}echo "$PWD/{VENV}/bin" >> "$GITHUB_PATH"\n'},
    ]
    if not engine:
        return steps
    steps += [{"name": "Can this machine do the work?", "run": "rocmimg doctor"}]
    return steps + _logins(pipeline)


def _logins(pipeline: Pipeline) -> list[dict[str, Any]]:
    return [
        {
            "name": f"Log in to {host}",
            "env": {
                "REGISTRY_USER": "${{ secrets.REGISTRY_USER }}",
                "REGISTRY_PASSWORD": "${{ secrets.REGISTRY_PASSWORD }}",
            },
            "run": login(host),
        }
        for host in pipeline.hosts
    ]


def _logout(pipeline: Pipeline) -> list[dict[str, Any]]:
    return [{"name": f"Log out of {host}", "if": "always()", "run": logout(host)} for host in pipeline.hosts]


def _nightly(pipeline: Pipeline) -> list[dict[str, Any]]:
    return [_NIGHTLY] if pipeline.nightly else []


def _signed(pipeline: Pipeline) -> dict[str, Any]:
    """The environment of a step that signs."""
    if not pipeline.signed:
        return {}
    secret = f"${{{{ secrets.{SIGNING_KEY} }}}}"
    return {"env": {SIGNING_KEY: "env:SIGNING_KEY_PEM", "SIGNING_KEY_PEM": secret}}


def _build(pipeline: Pipeline, level: tuple[Build, ...], needs: list[str]) -> dict[str, Any]:
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
    cells = f"{bases}${{{{ matrix.cell }}}}"
    steps = [
        {"name": "Build", "run": f"rocmimg build --locked {cells}"},
        {"name": "Check", "run": f"rocmimg test --locked {_REPORTS} ${{{{ matrix.cell }}}}"},
        {"name": "Push the candidate", "run": "rocmimg push --locked --candidate ${{ matrix.cell }}"}
        | _signed(pipeline),
    ]
    if with_bases:
        steps.insert(0, {"name": "Bring the base", "run": "rocmimg pull --locked ${{ matrix.bases }}"})
    return _job(pipeline, f"Build {cells}", needs, rows, steps, kind="build", minutes=720) | {"if": _PUBLISH}


def _test(pipeline: Pipeline, tests: tuple[Test, ...], needs: list[str]) -> dict[str, Any]:
    rows = [{"cell": test.cell, "arch": test.arch, "runner": json.dumps(test.runner)} for test in tests]
    steps = [
        {"name": "Bring the candidate", "id": "pull", "run": "rocmimg pull --locked ${{ matrix.cell }}"},
        {"name": "Check", "run": f"rocmimg test --locked --require-gpu {_REPORTS} ${{{{ matrix.cell }}}}"},
        {
            # What a failed check found belongs to the candidate as well: the gate reads it.
            "name": "Attach the results",
            "if": "!cancelled() && steps.pull.outcome == 'success'",
            "run": "rocmimg push --locked --results ${{ matrix.cell }}",
            **_signed(pipeline),
        },
    ]
    name = "Test ${{ matrix.cell }} on ${{ matrix.arch }}"
    return _job(pipeline, name, needs, rows, steps, kind="test", minutes=120)


def _job(
    pipeline: Pipeline,
    name: str,
    needs: list[str],
    rows: list[dict[str, str]],
    steps: list[dict[str, Any]],
    *,
    kind: str,
    minutes: int,
) -> dict[str, Any]:
    return {
        "name": name,
        "needs": needs,
        "runs-on": "${{ fromJSON(matrix.runner) }}",
        "timeout-minutes": minutes,
        "permissions": {"contents": "read"},
        "strategy": {"fail-fast": False, "matrix": {"include": rows}},
        "steps": [
            *_setup(pipeline, engine=True),
            *_nightly(pipeline),
            *steps,
            _report(kind),
            *_logout(pipeline),
        ],
    }


def _promote(pipeline: Pipeline, needs: list[str]) -> dict[str, Any]:
    retention = {
        "name": "Remove old candidates and nightlies",
        "if": "github.event_name == 'schedule'",
        "run": f"rocmimg prune --yes {pipeline.selection}",
    }
    return {
        "name": "Promote",
        "needs": needs,
        "runs-on": list(pipeline.runner),
        "timeout-minutes": 30,
        "permissions": {"contents": "read"},
        "environment": "release",
        # One promotion at a time, whatever started it.
        "concurrency": {"group": "images-promote", "cancel-in-progress": False},
        "steps": [
            *_setup(pipeline),
            *_logins(pipeline),
            *_nightly(pipeline),
            *({"name": "Promote", "run": command, **_signed(pipeline)} for command in pipeline.promote),
            *([retention] if pipeline.nightly else []),
            {
                "name": "Summary",
                "if": "!cancelled()",
                "run": f'rocmimg status --format markdown {pipeline.selection} >> "$GITHUB_STEP_SUMMARY"',
            },
            *_logout(pipeline),
        ],
    }


def _report(kind: str) -> dict[str, Any]:
    suffix = "-${{ matrix.arch }}" if kind == "test" else ""
    return {
        "name": "Keep the reports",
        "if": "always()",
        "uses": UPLOAD,
        "with": {
            "name": f"{kind}-${{{{ matrix.cell }}}}{suffix}",
            "path": "\n".join((*REPORTS, "")),
            "if-no-files-found": "ignore",
        },
    }
