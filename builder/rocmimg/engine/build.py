"""BuildKit by ``POST /build?version=2`` with a tar body, through docker-py's own HTTP session.

docker-py has no method for it (docker-py#2230). A build with secrets has a session of its own. What else needs one is
out of reach here: ssh, cache export, and pulling with credentials, so base images are pulled beforehand.
"""

from __future__ import annotations

import collections
import contextlib
import itertools
import json
import threading
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import requests
from docker.utils.config import load_general_config
from docker.utils.proxy import ProxyConfig
from google.protobuf.message import DecodeError

from rocmimg.engine.api import explained, message_of
from rocmimg.engine.context import ContextFile
from rocmimg.engine.events import Event, StepFinished, StepLog
from rocmimg.engine.failure import BuildCancelled, build_failed
from rocmimg.engine.frames import Trace
from rocmimg.engine.podman import PodmanSteps
from rocmimg.engine.tar import stream
from rocmimg.engine.types import BuildOutcome, BuildRequest
from rocmimg.errors import BuildError, EngineError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from rocmimg.engine.api import Api

_DOCKERFILE: Final = ".rocmimg.Dockerfile"
_LAST_LINES: Final = 40


class Running:
    """A build under way, so that another thread can end it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._response: requests.Response | None = None
        self.cancelled = False

    def attach(self, response: requests.Response) -> None:
        with self._lock:
            self._response = response
        if self.cancelled:
            self.hang_up()

    def detach(self) -> None:
        with self._lock:
            self._response = None

    def hang_up(self) -> None:
        """End the reading side; podman has no other way to be told, and docker stops the build for this as well."""
        with self._lock:
            if self._response is not None:
                with contextlib.suppress(OSError, RuntimeError, ValueError):
                    self._response.raw.shutdown()


class Builds:
    """The builds of one engine."""

    def __init__(self, api: Api) -> None:
        self._api = api
        self._running: dict[str, Running] = {}
        self._lock = threading.Lock()
        self._stopped = False

    def cancel(self, build_id: str) -> None:
        """End a build; its ``build`` call raises BuildCancelled. Unknown ids are ignored: it may just have ended."""
        with self._lock:
            running = self._running.get(build_id)
        if running is None:
            return
        running.cancelled = True
        with contextlib.suppress(requests.RequestException, OSError):
            self._api.client.post(self._api.url("/build/cancel"), params={"id": build_id}, timeout=30)
        running.hang_up()

    def stop(self) -> None:
        """Cancel every build, those that are about to begin as well."""
        with self._lock:
            self._stopped = True
            running = list(self._running)
        for build_id in running:
            self.cancel(build_id)

    def build(self, request: BuildRequest, on_event: Callable[[Event], None]) -> BuildOutcome:
        running = Running()
        with self._lock:
            if self._stopped:
                raise BuildCancelled
            self._running[request.build_id] = running
        began = time.monotonic()
        watch = _Watch(on_event, request.hidden)
        try:
            send = self._by_stage if self._api.podman else self._send
            image_id = send(request, running, watch)
        except Exception as error:
            if running.cancelled:
                raise BuildCancelled from error
            raise
        finally:
            running.detach()
            with self._lock:
                del self._running[request.build_id]
        return BuildOutcome(image_id=image_id, seconds=time.monotonic() - began)

    def _by_stage(self, request: BuildRequest, running: Running, watch: _Watch) -> str:
        from rocmimg.engine.stages import build_by_stage

        def build(part: BuildRequest, stage: str, shown: Callable[[str], str]) -> str:
            watch.podman.stage(stage, shown)
            return self._send(part, running, watch)

        return build_by_stage(request, build)

    def _send(self, request: BuildRequest, running: Running, watch: _Watch) -> str:
        params = _params(request, self._api.endpoint.url)
        offered: contextlib.AbstractContextManager[str] = contextlib.nullcontext("")
        if self._api.podman:
            params |= {"secrets": json.dumps([f"id={name},src={path}" for name, path in _secret_files(request)])}
        elif request.secrets:
            from rocmimg.engine.session import session

            offered = session(self._api, request.secrets)
        with (
            offered as name,
            explained("the engine refused the build"),
            contextlib.closing(
                self._api.client.post(
                    self._api.url("/build"),
                    params=params | ({"session": name} if name else {}),
                    data=_body(request, running, secrets=self._api.podman),
                    headers={"Content-Type": "application/x-tar"},
                    stream=True,
                    timeout=(30, None),
                )
            ) as response,
        ):
            running.attach(response)
            if response.status_code >= requests.codes.bad_request:
                raise build_failed(_refusal(response))
            return _follow(response, running, watch)


class _Watch:
    """What has to be remembered of the events to name the step that failed."""

    def __init__(self, on_event: Callable[[Event], None], hidden: Iterable[str]) -> None:
        self._on_event = on_event
        self._hidden = sorted(filter(None, hidden), key=len, reverse=True)
        self.podman = PodmanSteps()
        self._tail: dict[str, collections.deque[str]] = {}
        self.failed = ""
        self._failed_digest = ""

    def see(self, events: Iterator[Event]) -> None:
        for event in map(self._without_hidden, events):
            if isinstance(event, StepLog):
                self._tail.setdefault(event.digest, collections.deque(maxlen=_LAST_LINES)).append(event.text)
            elif isinstance(event, StepFinished) and event.error and not self.failed and not event.cancelled:
                self.failed, self._failed_digest = event.name, event.digest
            self._on_event(event)

    def _without_hidden(self, event: Event) -> Event:
        if not (self._hidden and isinstance(event, StepLog)):
            return event
        text = event.text
        for word in self._hidden:
            text = text.replace(word, "***")
        return replace(event, text=text)

    def error(self, message: str) -> Exception:
        log = tuple(self._tail.get(self._failed_digest, ())) if self.failed else ()
        return build_failed(message, step=self.failed, log=log)


def _proxies(url: str) -> dict[str, str]:
    """The proxies of the docker configuration; docker's command line hands them to every build as well.

    Such arguments need no ARG, stay out of the image and do not count for the cache.
    """
    configured: Any = load_general_config().get("proxies", {})
    chosen: Any = configured.get(url) or configured.get("default") or {}
    environment: Any = ProxyConfig.from_dict(chosen).get_environment()
    return dict(environment)


def _params(request: BuildRequest, url: str) -> dict[str, Any]:
    params: dict[str, Any] = {
        "version": "2",
        "dockerfile": _DOCKERFILE,
        "t": list(request.tags),
        "buildid": request.build_id,
        "rm": "1",
        "forcerm": "1",
        "labels": json.dumps(dict(request.labels)),
        "buildargs": json.dumps({**_proxies(url), **request.build_args}),
    }
    if request.network_mode != "default":
        params["networkmode"] = request.network_mode
    if request.target:
        params["target"] = request.target
    if request.no_cache:
        params["nocache"] = "1"
    return params


def _secret_files(request: BuildRequest) -> Iterator[tuple[str, str]]:
    """Id and path of each secret, where it travels beside the context: podman takes it out before the build."""
    for number, name in enumerate(request.secrets):
        yield name, f"{_DOCKERFILE}.secret-{number}"


def _body(request: BuildRequest, running: Running, *, secrets: bool) -> Iterator[bytes]:
    own = [ContextFile(path=_DOCKERFILE, data=request.dockerfile.encode())]
    if secrets:
        own += [ContextFile(path=path, data=request.secrets[name], mode=0o600) for name, path in _secret_files(request)]
    for chunk in stream(itertools.chain(own, request.context)):
        if running.cancelled:
            raise BuildCancelled
        yield chunk


def _refusal(response: requests.Response) -> str:
    try:
        return str(response.json()["message"])
    except (ValueError, KeyError, TypeError):
        return response.text or f"HTTP status {response.status_code}"


def _lines(response: requests.Response) -> Iterator[dict[str, Any]]:
    rest = b""
    for chunk in response.iter_content(None):
        *whole, rest = (rest + chunk).split(b"\n")
        for line in whole:
            if line.strip():
                yield json.loads(line)
    if rest.strip():
        yield json.loads(rest)


def _follow(response: requests.Response, running: Running, watch: _Watch) -> str:
    trace = Trace()
    image_id, message, buildkit = "", "", False
    try:
        for line in _lines(response):
            if line.get("id") == "moby.buildkit.trace":
                buildkit = True
                watch.see(trace.decode(line["aux"]))
            elif "error" in line:
                message = str(line.get("errorDetail", {}).get("message") or line["error"])
            elif isinstance(line.get("aux"), dict):
                image_id = str(line["aux"].get("ID", image_id))
            elif "stream" in line and not buildkit:
                watch.see(watch.podman.decode(line["stream"]))
    except (requests.RequestException, OSError, ValueError, DecodeError) as error:
        if not (running.cancelled or message):
            raise EngineError(
                "the engine went away during the build",
                why=message_of(error),
                next_step="start it again, and see its log; what it had built is in its cache",
            ) from error
    watch.see(trace.close())
    watch.see(watch.podman.close(message))
    if running.cancelled:
        raise BuildCancelled
    if message:
        raise watch.error(message)
    if not image_id:
        raise BuildError("the engine ended the build without an image", next_step="see the engine's own log")
    return image_id
