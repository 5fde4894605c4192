"""Look everything up, side by side; what fails is reported together, and then nothing is changed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Final

from rocmimg.errors import LockError, RegistryError, RocmimgError, SourceError
from rocmimg.lock.model import Lock
from rocmimg.lock.wants import Want

_AT_ONCE: Final = 16
Task = Callable[[], dict[str, Any]]


def resolve(wants: Sequence[Want]) -> Lock:
    """The lock for ``wants``.

    Raises:
        LockError: look-ups failed; every one is named.
    """
    tasks: list[tuple[Want, Task]] = [*_git_tasks(wants), *_other_tasks(wants)]
    sections: dict[str, dict[str, Any]] = {"git": {}, "images": {}, "packages": {}, "snapshots": {}}
    failures: list[RocmimgError] = []
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        running: list[tuple[Want, Future[dict[str, Any]]]] = [(want, pool.submit(task)) for want, task in tasks]
        for want, future in running:
            try:
                found = future.result()
            except RocmimgError as error:
                error.position = error.position or want.position
                failures.append(error)
                continue
            for place, value in found.items():
                if isinstance(value, dict):
                    sections[want.section].setdefault(place, {}).update(value)
                else:
                    sections[want.section][place] = value
    if failures:
        raise LockError(
            f"{len(failures)} of {len(tasks)} look-ups failed",
            why="\n  " + "\n  ".join(map(str, failures)),
            next_step="the lock is as it was: mend these and run the same command again",
        )
    return Lock.model_validate(sections)


def _git_tasks(wants: Iterable[Want]) -> list[tuple[Want, Task]]:
    from rocmimg.lock import git

    by_repo: dict[str, list[Want]] = {}
    for want in wants:
        if want.section == "git":
            by_repo.setdefault(want.place, []).append(want)

    def task(repo: str, group: list[Want]) -> Task:
        return lambda: {repo: dict(git.look_up(repo, [want.name for want in group], group[0].network))}

    return [(group[0], task(repo, group)) for repo, group in by_repo.items()]


def _other_tasks(wants: Iterable[Want]) -> list[tuple[Want, Task]]:
    from rocmimg.lock import packages, snapshots
    from rocmimg.registry.client import Registries

    registries = Registries()

    def task(want: Want) -> Task:
        if want.section == "images":
            return lambda: {want.place: _digest(registries, want.place)}
        if want.section == "packages":
            return lambda: {want.place: {want.name: packages.look_up(want.place, want.name, want.network)}}
        return lambda: {want.place: snapshots.look_up(want.place)}

    return [(want, task(want)) for want in wants if want.section != "git"]


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
