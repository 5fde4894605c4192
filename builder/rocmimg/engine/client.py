"""The engine: images, builds, containers."""

from __future__ import annotations

import contextlib
import signal
import sys
import tarfile
import threading
from functools import cached_property
from typing import IO, TYPE_CHECKING, Any, Final, Literal, Self

import requests
from docker.errors import DockerException, ImageNotFound, NotFound

from rocmimg.engine import caches
from rocmimg.engine.api import Api, explained, message_of
from rocmimg.engine.build import Builds
from rocmimg.engine.container import Containers
from rocmimg.engine.events import follow
from rocmimg.engine.failure import BuildCancelled, pull_failed, push_failed
from rocmimg.engine.images import detail, entry, listed
from rocmimg.engine.streams import stoppable
from rocmimg.engine.types import EngineInfo
from rocmimg.errors import EngineError, RegistryError, RocmimgError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from contextlib import AbstractContextManager
    from types import FrameType

    from rocmimg.engine.caches import CacheMount
    from rocmimg.engine.container import Container
    from rocmimg.engine.endpoint import Endpoint
    from rocmimg.engine.events import Event
    from rocmimg.engine.layers import Layer
    from rocmimg.engine.types import (
        BuildOutcome,
        BuildRequest,
        ContainerSpec,
        HistoryEntry,
        ImageDetail,
        ImageInfo,
    )

_TERMINATED: Final = 128 + signal.SIGTERM


class Engine:
    """One container engine; every method may be called from any thread. Use it in a ``with`` block.

    On the way out, whatever the reason, running builds are cancelled and containers of ``run`` are removed. Inside the
    block SIGTERM unwinds the stack (SystemExit 143) instead of ending the process where it stands.
    """

    def __init__(self, endpoint: Endpoint) -> None:
        self._api = Api(endpoint)
        self._builds = Builds(self._api)
        self._containers = Containers(self._api)
        self._old_handler: Any = None
        self._stopped = threading.Event()

    def __enter__(self) -> Self:
        main = threading.current_thread() is threading.main_thread()
        if main and signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
            self._old_handler = signal.signal(signal.SIGTERM, _terminate)
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
        if self._old_handler is not None:
            signal.signal(signal.SIGTERM, self._old_handler)
            self._old_handler = None

    def close(self) -> None:
        """Cancel what is being built or transferred, remove what runs, hang up."""
        self.stop()
        self._containers.remove_all()
        self._api.close()

    @property
    def url(self) -> str:
        """Where it was reached, as DOCKER_HOST would say it."""
        return self._api.endpoint.url

    @property
    def remote(self) -> bool:
        """Whether it may run on another machine, so that nothing here says anything of it."""
        return not self.url.startswith("unix://")

    @cached_property
    def info(self) -> EngineInfo:
        """Asked once, on first use."""
        with explained("the engine does not describe itself"):
            said = self._api.client.info()
        return EngineInfo(
            kind="podman" if self._api.podman else "docker",
            version=str(self._api.version.get("Version", "")),
            api_version=str(self._api.version["ApiVersion"]),
            storage_driver=str(said.get("Driver", "")),
            root_dir=str(said.get("DockerRootDir", "")),
            memory_bytes=int(said.get("MemTotal", 0)),
            url=self._api.endpoint.url,
            cdi_folders=tuple(said.get("CDISpecDirs") or ()),
            cdi_devices=tuple(
                str(one["ID"]) for one in said.get("DiscoveredDevices") or () if one.get("Source") == "cdi"
            ),
        )

    def images(self) -> list[ImageInfo]:
        """Every image that has a tag or stands alone, in one call."""
        with explained("the engine does not list its images"):
            return [listed(image, podman=self._api.podman) for image in self._api.client.images()]

    def caches(self) -> list[CacheMount]:
        """The caches that steps of builds have, those that were not used for longest first."""
        return caches.listed(self._api)

    def remove_caches(self, mounts: Iterable[CacheMount]) -> None:
        """Remove caches that no build uses now."""
        caches.remove(self._api, mounts)

    def image(self, ref: str) -> ImageDetail | None:
        """An image by tag, digest or id; None where the engine has none."""
        with explained(f"cannot inspect {ref}"):
            try:
                said = self._api.client.inspect_image(ref)  # type: ignore[no-untyped-call]
            except NotFound:
                return None
        return detail(said, podman=self._api.podman)

    def history(self, ref: str) -> list[HistoryEntry]:
        """The steps that made an image, oldest first. Raises EngineError where there is no such image."""
        with explained(f"cannot read the history of {ref}"):
            steps = self._api.client.history(ref)  # type: ignore[no-untyped-call]
        return [entry(step) for step in reversed(steps)]

    def pull(self, ref: str, on_event: Callable[[Event], None]) -> str:
        """Pull ``ref`` with the credentials of the docker configuration; the image's id.

        Raises BaseImageError, DiskFullError, BuildCancelled after ``stop``.
        """
        try:
            lines = stoppable(lambda: self._api.client.pull(ref, stream=True, decode=True), self._stopped)
            error, _ = follow(lines, on_event)
        except (DockerException, requests.RequestException, OSError) as problem:
            raise self._ended(pull_failed(ref, message_of(problem))) from problem
        if error:
            raise self._ended(pull_failed(ref, error))
        found = self.image(ref)
        if found is None:
            raise pull_failed(ref, "the engine reports success but has no such image")
        return found.id

    def push(self, ref: str, on_event: Callable[[Event], None]) -> str:
        """Push the tag ``ref``; the digest of what the registry now has under it. Raises RegistryError."""
        try:
            lines = stoppable(lambda: self._api.client.push(ref, stream=True, decode=True), self._stopped)
            error, digest = follow(lines, on_event)
        except (DockerException, requests.RequestException, OSError) as problem:
            raise self._ended(push_failed(ref, message_of(problem))) from problem
        if error:
            raise self._ended(push_failed(ref, error))
        if not digest:
            raise RegistryError(f"pushed {ref}, but the engine reports no digest")
        return digest

    def build(self, request: BuildRequest, on_event: Callable[[Event], None]) -> BuildOutcome:
        """Build one image; ``on_event`` is called in this thread.

        Raises StepFailed (a BuildError) with the step and its last lines, BuildCancelled, DiskFullError, EngineError,
        SourceError for a context file that cannot be read.
        """
        return self._builds.build(request, on_event)

    def _ended(self, error: RocmimgError) -> RocmimgError:
        """What a transfer ended with: an engine that gives up while it is being stopped was stopped."""
        return BuildCancelled() if self._stopped.is_set() else error

    def stop(self) -> None:
        """End every build, pull and push, from another thread; those that are begun later end at once.

        Each of their calls raises BuildCancelled.
        """
        self._stopped.set()
        self._builds.stop()

    def cancel(self, build_id: str) -> None:
        """End a build from another thread; unknown ids are ignored."""
        self._builds.cancel(build_id)

    def tag(self, image: str, ref: str) -> None:
        """Give ``image`` the further name ``ref``."""
        with explained(f"cannot tag {image} as {ref}"):
            name, tag = split_ref(ref)
            self._api.client.tag(image, name, tag=tag, force=True)

    def remove(self, ref: str, *, force: bool = False) -> None:
        """Remove a tag, and the image with its last tag. Nothing happens where there is none."""
        with explained(f"cannot remove {ref}"), contextlib.suppress(ImageNotFound, NotFound):
            self._api.client.remove_image(ref, force=force)

    def run(self, spec: ContainerSpec) -> AbstractContextManager[Container]:
        """A started container that idles; removed at the end of the block. Raises EngineError."""
        return self._containers.run(spec)

    def exported(self, image: str) -> AbstractContextManager[Iterator[tuple[tarfile.TarInfo, IO[bytes]]]]:
        """The whole file system of an image as tar members in the engine's order; nothing of it is run.

        Read each member before taking the next. Raises EngineError.
        """
        return self._containers.exported(image)

    def layers(self, image: str) -> list[Layer]:
        """The files of each layer, lowest first. The engine writes and sends the whole image for that.

        Raises:
            EngineError: it does not, or has layers in a form that is not read.
        """
        from rocmimg.engine.container import members_of
        from rocmimg.engine.layers import read_layers

        with explained(f"cannot read the layers of {image}"):
            chunks = self._api.client.get_image(image, chunk_size=1 << 20)
            try:
                return read_layers(members_of(chunks))
            except (ValueError, LookupError, tarfile.TarError) as error:
                raise EngineError(f"cannot read the layers of {image}", why=str(error)) from error

    def attach(self, container_id: str) -> Container:
        """A container that another process runs: commands and files as with ``run``, but it is not ours to remove."""
        from rocmimg.engine.container import Container

        return Container(self._api, container_id)


def split_ref(ref: str) -> tuple[str, str | None]:
    """``name[:tag]`` as the engine's tag call wants it; a port is not a tag."""
    name, colon, tag = ref.rpartition(":")
    return (name, tag) if colon and "/" not in tag else (ref, None)


def _terminate(_signal: int, _frame: FrameType | None) -> Literal[0]:
    sys.exit(_TERMINATED)
