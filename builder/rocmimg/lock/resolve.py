"""Look everything up, side by side; what fails is reported together, and then nothing is changed."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any, Final

from rocmimg.errors import LockError, RegistryError, RocmimgError, SourceError
from rocmimg.lock.file import Lock
from rocmimg.lock.requests import LookupRequest

_AT_ONCE: Final = 16
_MOMENT: Final = re.compile(r"/(\d{8}T\d{6}Z)(?:/|$)")
_TIMEOUT_S: Final = (10, 60)
Task = Callable[[], dict[str, Any]]


def resolve(requests: Sequence[LookupRequest]) -> Lock:
    """The lock for ``requests``.

    Raises:
        LockError: look-ups failed; every one is named.
    """
    tasks: list[tuple[LookupRequest, Task]] = [*_git_tasks(requests), *_other_tasks(requests)]
    sections: dict[str, dict[str, Any]] = {"git": {}, "images": {}, "packages": {}, "snapshots": {}}
    failures: list[RocmimgError] = []
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        running = [(request, pool.submit(task)) for request, task in tasks]
        for request, future in running:
            try:
                found = future.result()
            except RocmimgError as error:
                error.position = error.position or request.position
                failures.append(error)
                continue
            for place, value in found.items():
                if isinstance(value, dict):
                    sections[request.section].setdefault(place, {}).update(value)
                else:
                    sections[request.section][place] = value
    if failures:
        raise LockError(
            f"{len(failures)} of {len(tasks)} look-ups failed",
            why="\n  " + "\n  ".join(map(str, failures)),
            next_step="the lock is as it was: mend these and run the same command again",
        )
    return Lock.model_validate(sections)


def _git_tasks(requests: Iterable[LookupRequest]) -> list[tuple[LookupRequest, Task]]:
    from rocmimg.lock import git

    by_repo: dict[str, list[LookupRequest]] = {}
    for request in requests:
        if request.section == "git":
            by_repo.setdefault(request.place, []).append(request)

    def task(repo: str, group: list[LookupRequest]) -> Task:
        return lambda: {repo: dict(git.look_up(repo, [request.name for request in group], group[0].network))}

    return [(group[0], task(repo, group)) for repo, group in by_repo.items()]


def _other_tasks(requests: Iterable[LookupRequest]) -> list[tuple[LookupRequest, Task]]:
    from rocmimg.lock import packages
    from rocmimg.registry.client import Registries

    registries = Registries()

    def task(request: LookupRequest) -> Task:
        if request.section == "images":
            return lambda: {request.place: _digest(registries, request.place)}
        if request.section == "packages":
            return lambda: {
                request.place: {request.name: packages.look_up(request.place, request.name, request.network)}
            }
        return lambda: {request.place: _newest_snapshot(request.place)}

    return [(request, task(request)) for request in requests if request.section != "git"]


def _digest(registries: Any, image: str) -> str:
    from rocmimg.registry import parse

    reference = parse(image)
    try:
        digest: str | None = registries.repository(reference).digest(reference.tag)
    except RegistryError as error:
        raise SourceError(f"cannot look up {image}", why=str(error)) from error
    if digest is None:
        raise SourceError(f"there is no image {image}", next_step="mend the tag in images.yaml")
    return digest


def _newest_snapshot(service: str) -> str:
    """The newest moment; services redirect any moment to the last one before it.

    Raises:
        SourceError: the service does not answer.
    """
    import requests as http

    from rocmimg.registry.http import innermost, retrying_session

    now = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    url = f"{service.rstrip('/')}/{now}/"
    try:
        response = retrying_session().head(url, allow_redirects=True, timeout=_TIMEOUT_S)
        response.raise_for_status()
    except http.RequestException as error:
        raise SourceError(f"cannot ask {service} for its newest snapshot", why=innermost(error)) from error
    found = _MOMENT.search(response.url)
    return found[1] if found else now
