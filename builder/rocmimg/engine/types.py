"""What goes into the engine and what comes out of it, without docker-py."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rocmimg.engine.context import ContextFile

NetworkMode = Literal["default", "host", "none"]


def _fresh_id() -> str:
    return f"rocmimg-{uuid.uuid4().hex}"


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineInfo:
    """What the engine says about itself."""

    kind: Literal["docker", "podman"]
    version: str
    api_version: str
    storage_driver: str
    root_dir: str
    """On the engine's own machine."""
    memory_bytes: int
    url: str
    """Where it was reached, as DOCKER_HOST would say it."""
    cdi_folders: tuple[str, ...] = ()
    """Where it reads specifications of devices, on its own machine; empty where it knows nothing of CDI."""
    cdi_devices: tuple[str, ...] = ()
    """Devices that it has found there, for instance ``amd.com/gpu=0``; Docker tells them from 28.2 on."""

    @property
    def cache_mounts(self) -> bool:
        """Whether ``RUN --mount=type=cache`` works: BuildKit has it, podman from 4 on."""
        return self.kind == "docker" or int(self.version.partition(".")[0]) >= 4  # noqa: PLR2004


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageInfo:
    """One line of the image list."""

    id: str
    tags: tuple[str, ...]
    """As docker writes them; podman's ``localhost/`` and ``docker.io/library/`` are taken off."""
    digests: tuple[str, ...]
    labels: Mapping[str, str]
    size: int
    """Bytes."""
    created: float
    """Seconds since the epoch."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageDetail:
    """One image, inspected."""

    id: str
    tags: tuple[str, ...]
    digests: tuple[str, ...]
    """``repository@sha256:...``: on docker's classic store known once the image was pulled or pushed; the containerd
    store and podman have one for every tag, so its presence proves no registry."""
    labels: Mapping[str, str]
    env: Mapping[str, str]
    workdir: str
    """``/`` where the image sets none."""
    entrypoint: tuple[str, ...]
    cmd: tuple[str, ...]
    user: str
    shell: tuple[str, ...]
    """Empty where the image sets none, and always on podman 4.3, which does not tell."""
    size: int
    """Bytes."""
    created: str
    """RFC 3339."""
    layers: tuple[str, ...]
    """Digests of the uncompressed layers, lowest first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryEntry:
    """One step of an image's history, oldest first; ``size`` in bytes, 0 for steps without a layer."""

    created_by: str
    size: int
    created: float
    comment: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildRequest:
    """One image to build."""

    dockerfile: str
    """The text. It travels beside ``context``, which must not have a member of the same name."""
    context: Iterable[ContextFile] = ()
    tags: tuple[str, ...] = ()
    labels: Mapping[str, str] = field(default_factory=dict)
    build_args: Mapping[str, str] = field(default_factory=dict)
    secrets: Mapping[str, bytes] = field(default_factory=dict, repr=False)
    """Id -> what ``RUN --mount=type=secret,id=...`` finds; in no layer, argument or label."""
    hidden: tuple[str, ...] = field(default=(), repr=False)
    """Words that no line of a step shows, whatever the step prints."""
    target: str | None = None
    network_mode: NetworkMode = "default"
    no_cache: bool = False
    build_id: str = field(default_factory=_fresh_id)
    """What ``Engine.cancel`` takes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildOutcome:
    """A finished build."""

    image_id: str
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ContainerSpec:
    """A container that idles until it is told what to run. The image's entrypoint does not run."""

    image: str
    env: Mapping[str, str] = field(default_factory=dict)
    """On top of the image's own."""
    workdir: str | None = None
    user: str | None = None
    network_mode: NetworkMode = "none"
    memory_bytes: int | None = None
    pids_limit: int | None = None
    shm_bytes: int | None = None
    read_only: bool = False
    """The container's own file system may not be written to."""
    tmpfs: Mapping[str, str] = field(default_factory=dict)
    """Folder -> mount options of a file system in memory."""
    ipc: Literal["private", "host"] | None = None
    devices: tuple[str, ...] = ()
    """Paths on the engine's machine, the same inside; a folder stands for all devices in it."""
    cdi: tuple[str, ...] = ()
    """Devices by the names of the Container Device Interface, for instance ``amd.com/gpu=0``."""
    group_add: tuple[int, ...] = ()
    """On podman a command that is run with a ``user`` of its own does not get them."""
    cap_add: tuple[str, ...] = ()
    security_opt: tuple[str, ...] = ()
    binds: Mapping[str, str] = field(default_factory=dict)
    """Path on the engine's machine -> path inside, read-only."""
    labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecResult:
    """What a command in a container did."""

    exit_code: int
    """137 where the limit ended it."""
    stdout: bytes
    stderr: bytes
    timed_out: bool
    seconds: float
    flooded: bool = False
    """It wrote more than it may, and was ended."""
