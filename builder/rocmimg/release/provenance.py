"""How an image came to be, as an in-toto statement with SLSA's provenance predicate. Nobody has signed it."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from rocmimg import __version__
from rocmimg.plan import LABEL_DIGEST, LABEL_INPUTS, ImagePlan
from rocmimg.plan.expected import ExpectedComponent

if TYPE_CHECKING:
    from rocmimg.engine import ImageDetail

_BUILD_TYPE: Final = "urn:rocmimg:build:v1"


def statement(
    image: ImagePlan, local: ImageDetail, repository: str, digest: str, config: Mapping[str, Any] | None
) -> bytes:
    """The statement about the image that was pushed as ``repository@digest``.

    ``config`` is the image's configuration where ``local`` is an index. Layout: https://in-toto.io/Statement/v1 and
    https://slsa.dev/provenance/v1. Only what the plan knows goes in, no environment of the build.
    """
    labels = (config or {}).get("config", {}).get("Labels") or local.labels
    cell = image.cell
    content = {
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{"name": repository, "digest": {"sha256": digest.removeprefix("sha256:")}}],
        "predicateType": "https://slsa.dev/provenance/v1",
        "predicate": {
            "buildDefinition": {
                "buildType": _BUILD_TYPE,
                "externalParameters": {
                    "cell": cell.id,
                    "version": cell.config.version,
                    "flags": dict(cell.flags),
                    "gpuArchs": list(cell.archs),
                    "source": cell.config.source,
                    "revision": labels.get("org.opencontainers.image.revision", ""),
                },
                "internalParameters": {
                    "plan": labels.get(LABEL_DIGEST, ""),
                    "inputs": json.loads(labels.get(LABEL_INPUTS) or "{}"),
                },
                "resolvedDependencies": _dependencies(image, labels),
            },
            "runDetails": {
                "builder": {"id": _builder(), "version": {"rocmimg": __version__}},
                "metadata": {"finishedOn": labels.get("org.opencontainers.image.created", "")},
            },
        },
    }
    return (json.dumps(content, indent=2, sort_keys=True) + "\n").encode()


def _dependencies(image: ImagePlan, labels: Mapping[str, str]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    if image.rootfs is None:
        name, _, pinned = image.base.partition("@")
        digest = pinned or labels.get("org.opencontainers.image.base.digest", "")
        found.append({"uri": f"docker://{name}", "digest": {"sha256": digest.removeprefix("sha256:")}})
    return found + [_source(component) for component in image.expected.components if component.repo]


def _source(component: ExpectedComponent) -> dict[str, Any]:
    source: dict[str, Any] = {"name": component.name, "uri": f"git+{component.repo}@{component.ref}"}
    if component.commit:
        source["digest"] = {"gitCommit": component.commit}
    return source


def _builder() -> str:
    env = os.environ
    if server := env.get("GITHUB_SERVER_URL"):
        return f"{server}/{env.get('GITHUB_REPOSITORY', '')}/actions/runs/{env.get('GITHUB_RUN_ID', '')}"
    return env.get("CI_JOB_URL") or env.get("BUILDKITE_BUILD_URL") or f"urn:host:{socket.gethostname()}"
