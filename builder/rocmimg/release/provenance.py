"""How an image came to be, as an in-toto statement with SLSA's provenance predicate; and whether there is one."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from rocmimg import __version__
from rocmimg.plan import LABEL_DIGEST, LABEL_INPUTS, ImagePlan
from rocmimg.plan.expected import ExpectedComponent
from rocmimg.release.records import PREDICATES, PROVENANCE
from rocmimg.release.signing import statement

if TYPE_CHECKING:
    from rocmimg.engine import ImageDetail
    from rocmimg.release.records import ImageRecords

_BUILD_TYPE: Final = "urn:rocmimg:build:v1"


def provenance(
    image: ImagePlan, local: ImageDetail, repository: str, digest: str, config: Mapping[str, Any] | None
) -> dict[str, Any]:
    """The statement about the image that was pushed as ``repository@digest``.

    ``config`` is the image's configuration where ``local`` is an index. Layout: https://in-toto.io/Statement/v1 and
    https://slsa.dev/provenance/v1. Only what the plan knows goes in, no environment of the build.
    """
    inside = (config or {}).get("config")
    labels = (inside.get("Labels") if isinstance(inside, dict) else None) or local.labels
    cell = image.cell
    return statement(
        PREDICATES[PROVENANCE],
        {repository: digest},
        {
            "buildDefinition": {
                "buildType": _BUILD_TYPE,
                "externalParameters": {
                    "cell": cell.id,
                    "version": cell.config.version,
                    "flags": dict(cell.flags),
                    "gpuArchs": list(cell.archs),
                    "source": cell.config.source_url,
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
                "byproducts": [
                    {"name": "image", "uri": local.id},
                    *({"name": "layer", "uri": layer} for layer in local.layers),
                ],
            },
        },
    )


def unproven_origin(known: ImageRecords, cell: str, plan: str) -> str:
    """Why nothing says that a build of ``plan`` made this very image; empty where its provenance does.

    An image made FROM ours has our labels and no provenance: that is attached to one digest.
    """
    for record in known.of(PROVENANCE):
        definition = record.predicate.get("buildDefinition")
        if isinstance(definition, dict) and definition.get("buildType") == _BUILD_TYPE:
            outer, inner = definition.get("externalParameters"), definition.get("internalParameters")
            if (
                isinstance(outer, dict)
                and isinstance(inner, dict)
                and (outer.get("cell"), inner.get("plan")) == (cell, plan)
            ):
                return ""
    why = "no provenance attached to it says that a build of this plan made it"
    return "; ".join([why, *known.not_believed(PROVENANCE)])


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
