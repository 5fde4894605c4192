"""Look everything up, side by side; what fails takes nothing else with it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from rocmimg.errors import RegistryError, RocmimgError, SourceError
from rocmimg.lock.file import Lock
from rocmimg.lock.requests import LookupRequest

_AT_ONCE: Final = 16
_MOMENT: Final = re.compile(r"/(\d{8}T\d{6}Z)(?:/|$)")
_TIMEOUT_S: Final = (10, 60)
Task = Callable[[], Mapping[str, Any]]
"""Answers by the name that was asked for."""
LocalId = Callable[[str, bool], str]
"""The id of an image that this machine's engine has, and no registry; empty for any other. Told is whether the registry
said that it has none; otherwise it could not be asked."""


class _NoImage(SourceError):
    """The registry answers, and has no such image."""


@dataclass(frozen=True, slots=True)
class Failure:
    """A look-up that failed."""

    request: LookupRequest
    error: RocmimgError

    def __str__(self) -> str:
        return f"{self.request.position}: {', '.join(self.request.cells)}: {self.request}: {self.error}"


def resolve(requests: Sequence[LookupRequest], local_id: LocalId) -> tuple[Lock, list[Failure]]:
    """The lock for ``requests`` as far as they could be looked up, and what could not.

    An image that its registry does not give is taken from this machine's engine, where it was made there.
    """
    groups = [*_git_groups(requests), *_other_groups(requests)]
    sections: dict[str, dict[str, Any]] = {"git": {}, "images": {}, "local": {}, "packages": {}, "snapshots": {}}
    failures: list[Failure] = []
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        running = [(group, pool.submit(task)) for group, task in groups]
        for group, future in running:
            try:
                found = future.result()
            except RocmimgError as error:
                for request in group:
                    absent = isinstance(error, _NoImage)
                    if request.section == "images" and (own := local_id(request.place, absent)):
                        sections["local"][request.place] = own
                    else:
                        failures.append(Failure(request, error))
                continue
            for request in group:
                section = sections[request.section]
                if request.name not in found:
                    failures.append(Failure(request, _no_ref(request)))
                elif request.section in ("git", "packages"):
                    section.setdefault(request.place, {})[request.name] = found[request.name]
                else:
                    section[request.place] = found[request.name]
    return Lock.model_validate(sections), failures


def _no_ref(request: LookupRequest) -> SourceError:
    return SourceError(
        f"{request.place} has no {request.name}",
        why="it has neither a tag nor a branch of that name",
        next_step="correct the ref in images.yaml",
    )


def _git_groups(requests: Iterable[LookupRequest]) -> list[tuple[list[LookupRequest], Task]]:
    from rocmimg.lock import git

    by_repo: dict[str, list[LookupRequest]] = {}
    for request in requests:
        if request.section == "git":
            by_repo.setdefault(request.place, []).append(request)

    def task(repo: str, group: list[LookupRequest]) -> Task:
        return lambda: git.look_up(repo, [request.name for request in group], group[0].network)

    return [(group, task(repo, group)) for repo, group in by_repo.items()]


def _other_groups(requests: Iterable[LookupRequest]) -> list[tuple[list[LookupRequest], Task]]:
    from rocmimg.lock import packages
    from rocmimg.registry.client import Registries

    registries = Registries()

    def ask(request: LookupRequest) -> Any:
        if request.section == "images":
            return _digest(registries, request.place)
        if request.section == "packages":
            return packages.look_up(request.place, request.name, request.network, request.pythons)
        return _newest_snapshot(request.place)

    def task(request: LookupRequest) -> Task:
        return lambda: {request.name: ask(request)}

    return [([request], task(request)) for request in requests if request.section != "git"]


def _digest(registries: Any, image: str) -> str:
    from rocmimg.registry import parse

    reference = parse(image)
    try:
        digest: str | None = registries.repository(reference).digest(reference.tag)
    except RegistryError as error:
        raise SourceError(f"cannot look up {image}", why=str(error)) from error
    if digest is None:
        raise _NoImage(f"there is no image {image}", next_step="correct the tag in images.yaml")
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
