"""Containers that idle, and what can be done with one: run commands, put files in, read files out."""

from __future__ import annotations

import contextlib
import io
import tarfile
import threading
import time
import uuid
from typing import IO, TYPE_CHECKING, Any, Final

import requests
from docker.errors import APIError, DockerException, NotFound

from rocmimg import leftovers
from rocmimg.engine.api import explained
from rocmimg.engine.exec import Executor
from rocmimg.engine.tar import stream
from rocmimg.errors import EngineError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from rocmimg.engine.api import Api
    from rocmimg.engine.context import ContextFile
    from rocmimg.engine.types import ContainerSpec, ExecResult

RUN_LABEL: Final = "io.rocmimg.run"
"""On every container of ours: its name."""
OWNER_LABEL: Final = "io.rocmimg.owner"
"""On every container of ours: the process that made it, so that the next run removes what a killed one left."""

# A shell that waits, not `sleep`: as process 1 it also reaps what the commands leave behind, and every image that can
# be checked at all has one. It ends after a day, and the engine then removes the container, should this process be
# killed before it can.
_IDLE: Final = ("/bin/sh", "-c", "trap 'exit 0' TERM; sleep 86400 & wait $!")
_REMOVE_PAUSES_S: Final = (0.1,) * 10 + (1.0,) * 30


class Container:
    """A running container. Made by ``Engine.run``."""

    def __init__(self, api: Api, container_id: str) -> None:
        self.id = container_id
        self._api = api
        self._executor = Executor(api, container_id)

    def exec(
        self,
        argv: Sequence[str],
        *,
        timeout: float | None,
        workdir: str | None = None,
        env: Mapping[str, str] | None = None,
        user: str | None = None,
        stdin: bytes | None = None,
        output_limit: int | None = None,
    ) -> ExecResult:
        """Run one command; no shell reads ``argv``. A command that cannot be started exits 126 or 127, as in a shell.

        After ``timeout`` seconds its process group is ended inside the container, then, whatever it did to escape,
        every process that inherited its environment; so is what writes more than ``output_limit`` bytes.
        Raises EngineError where the container is gone.
        """
        return self._executor.run(
            argv, timeout=timeout, workdir=workdir, env=env or {}, user=user, stdin=stdin, output_limit=output_limit
        )

    def put(self, path: str, files: Iterable[ContextFile]) -> None:
        """Write files below the folder ``path``, which must exist (podman makes it). Raises EngineError."""
        with explained(f"cannot write to {path} in the container"):
            self._api.client.put_archive(self.id, path, stream(files))

    def archive(self, path: str) -> Iterator[tuple[tarfile.TarInfo, IO[bytes]]]:
        """Every member of a file or folder, streamed in the engine's order. Read each before taking the next.

        Names begin with the last part of ``path``, as tar does. Raises EngineError where there is no such path.
        """
        with explained(f"cannot read {path} in the container"):
            chunks, _ = self._api.client.get_archive(self.id, path, chunk_size=1 << 20)
            yield from members_of(chunks)

    def export(self) -> Iterator[tuple[tarfile.TarInfo, IO[bytes]]]:
        """Every member of the container's own file system, in the engine's order. Read each before taking the next."""
        with explained("cannot read the container's files"):
            yield from members_of(self._api.client.export(self.id, chunk_size=1 << 20))

    def env(self) -> dict[str, str]:
        """The environment that commands get."""
        with explained("cannot inspect the container"):
            said = self._api.client.inspect_container(self.id)["Config"].get("Env") or ()
        return dict(one.split("=", 1) for one in said if "=" in one)


def members_of(chunks: Iterator[bytes]) -> Iterator[tuple[tarfile.TarInfo, IO[bytes]]]:
    """Every member of a tar that comes in ``chunks``. Read each before taking the next."""
    with contextlib.closing(chunks), tarfile.open(fileobj=io.BufferedReader(_Chunks(chunks)), mode="r|") as tar:  # type: ignore[type-var]
        for member in tar:
            content = tar.extractfile(member) if member.isreg() else None
            yield member, content or io.BytesIO()
            # tarfile keeps every member it has met, and an image has hundreds of thousands.
            tar.members = []  # type: ignore[attr-defined]


class _Chunks(io.RawIOBase):
    """A file out of an iterator of bytes."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks = chunks
        self._rest = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._rest:
            chunk = next(self._chunks, None)
            if chunk is None:
                return 0
            self._rest = memoryview(chunk)
        count = min(len(buffer), len(self._rest))
        buffer[:count] = self._rest[:count]
        self._rest = self._rest[count:]
        return count


class Containers:
    """The containers that this process started on one engine."""

    def __init__(self, api: Api) -> None:
        self._api = api
        self._live: set[str] = set()
        self._lock = threading.Lock()
        self._swept = False

    @contextlib.contextmanager
    def run(self, spec: ContainerSpec) -> Iterator[Container]:
        name = self._begin()
        try:
            with explained(f"cannot start a container from {spec.image}"):
                made = self._api.client.create_container_from_config(  # type: ignore[no-untyped-call]
                    _config(spec, name), name
                )
                self._api.client.start(name)
            yield Container(self._api, str(made["Id"]))
        finally:
            self._remove(name)

    @contextlib.contextmanager
    def exported(self, image: str) -> Iterator[Iterator[tuple[tarfile.TarInfo, IO[bytes]]]]:
        name = self._begin()
        try:
            with explained(f"cannot read the files of {image}"):
                self._api.client.create_container_from_config(  # type: ignore[no-untyped-call]
                    {"Image": image, "Cmd": ["-"], "Labels": _labels(name)}, name
                )
                yield members_of(self._api.client.export(name, chunk_size=1 << 20))
        finally:
            self._remove(name)

    def _begin(self) -> str:
        # The name is ours and known before the engine is asked, so an interrupt between the two leaves nothing behind.
        name = f"rocmimg-{uuid.uuid4().hex}"
        with self._lock:
            self._live.add(name)
            first, self._swept = not self._swept, True
        if first:
            self._sweep()
        return name

    def _sweep(self) -> None:
        """Remove the containers whose processes were killed; what cannot be told or removed now stays."""
        with contextlib.suppress(DockerException, requests.RequestException):
            for found in self._api.client.containers(all=True, filters={"label": OWNER_LABEL}):
                if leftovers.is_gone(found.get("Labels", {}).get(OWNER_LABEL, "")):
                    with contextlib.suppress(DockerException):
                        self._api.client.remove_container(found["Id"], force=True, v=True)

    def remove_all(self) -> None:
        for name in list(self._live):
            self._remove(name)

    def _remove(self, name: str) -> None:
        with explained(f"cannot remove the container {name}"), contextlib.suppress(NotFound):
            # "Removal is already in progress" when two threads do it: repeated until it is gone.
            for pause in _REMOVE_PAUSES_S:
                try:
                    self._api.client.remove_container(name, force=True, v=True)
                    break
                except APIError as error:
                    if error.status_code != requests.codes.conflict:
                        raise
                    time.sleep(pause)
            else:
                raise EngineError(f"the engine does not finish removing the container {name}")
        with self._lock:
            self._live.discard(name)


def _labels(name: str) -> dict[str, str]:
    return {RUN_LABEL: name, OWNER_LABEL: leftovers.token()}


def _config(spec: ContainerSpec, run_id: str) -> dict[str, Any]:
    host: dict[str, Any] = {
        "AutoRemove": True,
        "NetworkMode": spec.network_mode,
        "Memory": spec.memory_bytes,
        "PidsLimit": spec.pids_limit,
        "ShmSize": spec.shm_bytes,
        "IpcMode": spec.ipc,
        "ReadonlyRootfs": spec.read_only,
        "Tmpfs": dict(spec.tmpfs),
        "Devices": [{"PathOnHost": d, "PathInContainer": d, "CgroupPermissions": "rwm"} for d in spec.devices],
        "DeviceRequests": [{"Driver": "cdi", "DeviceIDs": list(spec.cdi)}] if spec.cdi else [],
        "GroupAdd": [str(gid) for gid in spec.group_add],
        "CapAdd": list(spec.cap_add),
        "SecurityOpt": list(spec.security_opt),
        "Binds": [f"{outside}:{inside}:ro" for outside, inside in spec.binds.items()],
    }
    config: dict[str, Any] = {
        "Image": spec.image,
        "Entrypoint": list(_IDLE),
        "Cmd": [],
        "Env": [f"{name}={value}" for name, value in spec.env.items()],
        "WorkingDir": spec.workdir,
        "User": spec.user,
        "Labels": {**spec.labels, **_labels(run_id)},
        "HostConfig": {key: value for key, value in host.items() if value},
    }
    return {key: value for key, value in config.items() if value}
