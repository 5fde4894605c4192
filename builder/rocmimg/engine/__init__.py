"""The container engine: connect, pull, build, run, push. The only room that knows docker-py.

This package imports no docker-py; ``connect`` does when it is called.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from rocmimg.engine.events import BuildWarning, Event, StepFinished, StepLog, StepStarted, Transfer
from rocmimg.engine.failure import BuildCancelled, StepFailed
from rocmimg.engine.types import (
    BuildOutcome,
    BuildRequest,
    ContainerSpec,
    EngineInfo,
    ExecResult,
    HistoryEntry,
    ImageDetail,
    ImageInfo,
)

if TYPE_CHECKING:
    from rocmimg.engine.client import Engine as Engine
    from rocmimg.engine.container import Container as Container

__all__ = [
    "BuildCancelled",
    "BuildOutcome",
    "BuildRequest",
    "BuildWarning",
    "ContainerSpec",
    "EngineInfo",
    "Event",
    "ExecResult",
    "HistoryEntry",
    "ImageDetail",
    "ImageInfo",
    "StepFailed",
    "StepFinished",
    "StepLog",
    "StepStarted",
    "Transfer",
    "connect",
]


def connect() -> Engine:
    """Connect to the engine that the docker command line would use; podman's socket works too.

    DOCKER_HOST, DOCKER_CONTEXT, the current context of the docker configuration, then the default socket; with
    DOCKER_TLS_VERIFY, DOCKER_TLS and DOCKER_CERT_PATH, or the context's own TLS material.

    Raises EngineError where none answers, ConfigError where the docker configuration cannot be used.
    """
    from rocmimg.engine.client import Engine
    from rocmimg.engine.endpoint import resolve

    return Engine(resolve())
