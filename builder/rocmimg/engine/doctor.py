"""Whether this machine and its engine can do the work, and what to do where they cannot."""

from __future__ import annotations

import json
import re
import shutil
from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

from rocmimg.engine import BuildRequest, ContainerSpec, connect
from rocmimg.engine.cdi import KIND, specified
from rocmimg.engine.host import gpu_nodes, missing_groups, node_groups
from rocmimg.engine.reach import closure, reach
from rocmimg.errors import ConfigError, DiskFullError, EngineError, NetworkError, RocmimgError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rocmimg.engine.client import Engine

Status = Literal["ok", "problem", "not run"]

_OLDEST_API: Final = (1, 41)
"""Docker 20.10, the oldest that this project was run on."""
_TAG: Final = "rocmimg-doctor:build"
_TRIAL: Final = """\
FROM scratch AS base
COPY root /
FROM base AS part
RUN ["/bin/sh", "-c", "echo made >/made"]
FROM base
RUN --mount=type=bind,from=part,source=/made,target=/seen %s
"""
_LIMIT_S: Final = 60
_STORAGE: Final = re.compile(
    r"overlay|fuse|mounting|failed to mount|mount .*(denied|not permitted|invalid)", re.IGNORECASE
)
_STORAGE_ADVICE: Final = (
    "the engine's storage cannot be mounted: put its data on ext4 or xfs for overlay2; an engine in a container needs "
    "--privileged and a volume for its data; rootless it needs /dev/fuse and fuse-overlayfs, or a kernel from 5.13 on"
)
_SLOW_DRIVERS: Final = frozenset({"vfs"})
_LITTLE_DISK_GB: Final = 6
"""The lab images, their base and the cache of their build."""
_MUCH_DISK_GB: Final = 150
"""A published ROCm image unpacks to 75 GB (sglang#22037), and its stages lie beside it during the build."""
_GB: Final = 10**9


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One line of the report."""

    id: str
    status: Status
    detail: str
    next_step: str = ""
    exit_code: int = 0
    """What the process should end with for this alone; 0 where nothing is blocked."""

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def examine() -> Iterator[Finding]:
    """Every check in turn; one that needs what another found missing is "not run"."""
    remote: tuple[Finding, ...] = ()
    cdi: tuple[str, ...] = ()
    try:
        engine = connect()
    except (EngineError, ConfigError) as error:
        yield Finding(
            id="engine",
            status="problem",
            detail=f"{error.what}; {error.why}",
            next_step=error.next_step,
            exit_code=error.exit_code,
        )
        for name in ("api", "storage", "disk", "caches", "build", "container", "network default", "network host"):
            yield Finding(id=name, status="not run", detail="no engine")
    else:
        with engine:
            yield from _engine(engine)
            remote = _remote_devices(engine) if engine.remote else ()
            cdi = () if engine.remote else _cdi(engine)
    if remote:
        yield from remote
    else:
        yield _devices(cdi)
        yield _groups()
    yield _mmdebstrap()


def _engine(engine: Engine) -> Iterator[Finding]:
    try:
        info = engine.info
    except RocmimgError as error:
        yield Finding(id="engine", status="problem", detail=str(error), exit_code=error.exit_code)
        return
    yield Finding(id="engine", status="ok", detail=f"{info.kind} {info.version} at {info.url}")
    old = tuple(map(int, info.api_version.split("."))) < _OLDEST_API
    yield Finding(
        id="api",
        status="problem" if old else "ok",
        detail=f"API {info.api_version}" + (", older than any that was tried" if old else ""),
        next_step="update to Docker 20.10 or newer" if old else "",
    )
    slow = info.storage_driver in _SLOW_DRIVERS
    yield Finding(
        id="storage",
        status="problem" if slow else "ok",
        detail=f"{info.storage_driver} at {info.root_dir}" + (", which copies every layer whole" if slow else ""),
        next_step="put the engine's data on ext4 or xfs, so that it uses overlay2" if slow else "",
    )
    yield _disk(engine)
    yield _caches(engine)
    build = _build(engine)
    yield build
    if build.status != "ok":
        for name in ("container", "network default", "network host"):
            yield Finding(id=name, status="not run", detail="a build does not work")
        return
    yield _container(engine)
    engine.remove(_TAG, force=True)
    yield from _network(engine)


def _build(engine: Engine) -> Finding:
    """What each production image does: a step that mounts another stage, and once more after a change."""
    tools = [Path(path) for name in ("sh", "sleep") if (path := shutil.which(name))]
    try:
        for final in ("first", "changed"):
            engine.build(
                BuildRequest(
                    dockerfile=_TRIAL
                    % json.dumps(["/bin/sh", "-c", f': {final}; read -r word </seen && [ "$word" = made ]']),
                    context=closure(Path("/bin/sh"), *tools),
                    tags=(_TAG,),
                ),
                lambda _: None,
            )
    except RocmimgError as error:
        storage = _STORAGE.search(f"{error.what} {error.why}")
        own = f"see the engine's own log; its storage driver is {engine.info.storage_driver}"
        return Finding(
            id="build",
            status="problem",
            detail="; ".join(filter(None, (error.what, error.why))),
            next_step=_STORAGE_ADVICE if storage else error.next_step or own,
            exit_code=error.exit_code,
        )
    how = "buildah builds, one stage after the other" if engine.info.kind == "podman" else "BuildKit builds"
    return Finding(id="build", status="ok", detail=f"{how}; a mounted stage is seen, also after a change")


def _container(engine: Engine) -> Finding:
    try:
        with engine.run(ContainerSpec(image=_TAG)) as container:
            said = container.exec(["/bin/sh", "-c", "echo started"], timeout=_LIMIT_S)
        if said.stdout == b"started\n":
            return Finding(id="container", status="ok", detail="a container starts and answers")
        why, next_step = said.stderr.decode(errors="replace") or f"exit code {said.exit_code}", ""
    except RocmimgError as error:
        why, next_step = "; ".join(filter(None, (error.what, error.why))), error.next_step
    return Finding(
        id="container",
        status="problem",
        detail=f"no command runs in a container: {' '.join(why.split())}",
        next_step=next_step or "images build, but `rocmimg test` cannot look at them: see the engine's own log",
        exit_code=EngineError.exit_code,
    )


def _network(engine: Engine) -> Iterator[Finding]:
    found = {mode: reach(engine, mode) for mode in ("default", "host")}
    none = all(outcome.status == "problem" for outcome in found.values())
    for mode, outcome in found.items():
        yield Finding(
            id=f"network {mode}",
            status=outcome.status,
            detail=outcome.detail,
            next_step=outcome.next_step,
            exit_code=NetworkError.exit_code if none else 0,
        )


def _disk(engine: Engine) -> Finding:
    root = engine.info.root_dir
    if engine.remote:
        return Finding(id="disk", status="not run", detail="the engine is remote")
    if not Path(root).is_dir():
        return Finding(id="disk", status="not run", detail=f"{root or 'its data'} is not on this machine")
    free = shutil.disk_usage(root).free / _GB
    detail = f"{free:.0f} GB free at {root}"
    advice = "free some, or move the engine's data-root"
    if free < _LITTLE_DISK_GB:
        detail += f"; the lab images want {_LITTLE_DISK_GB} GB"
        return Finding(id="disk", status="problem", detail=detail, next_step=advice, exit_code=DiskFullError.exit_code)
    if free < _MUCH_DISK_GB:
        detail += f"; enough for the lab images, but a full ROCm image with its build wants {_MUCH_DISK_GB} GB"
        return Finding(id="disk", status="problem", detail=detail, next_step=advice)
    return Finding(id="disk", status="ok", detail=detail)


def _caches(engine: Engine) -> Finding:
    if engine.info.kind == "podman":
        return Finding(id="caches", status="not run", detail="podman does not tell what its cache mounts take")
    try:
        found = engine.caches()
    except EngineError as error:
        return Finding(id="caches", status="not run", detail=str(error))
    sizes = Counter[str]()
    for one in found:
        sizes[one.kind] += one.size
    detail = ", ".join(f"{kind} {size / 1e6:.0f} MB" for kind, size in sizes.most_common() if size) or "empty"
    return Finding(id="caches", status="ok", detail=f"{detail}; `rocmimg prune --local --caches SIZE` limits them")


def _remote_devices(engine: Engine) -> tuple[Finding, ...]:
    """What a remote engine says of its GPUs; nothing of this machine's."""
    remote = f"the engine is remote ({engine.url})"
    try:
        offered = [name for name in engine.info.cdi_devices if name.startswith(f"{KIND}=")]
    except RocmimgError:
        offered = []
    gpu = Finding(id="gpu", status="ok", detail=f"the engine gives them by CDI: {' '.join(offered)}")
    if not offered:
        gpu = Finding(id="gpu", status="not run", detail=f"{remote}, and says of no {KIND}")
    return gpu, Finding(id="groups", status="not run", detail=remote)


def _cdi(engine: Engine) -> tuple[str, ...]:
    """The names by which an engine on this machine gives GPUs to containers."""
    try:
        return tuple(sorted(specified(engine.info.cdi_folders).values()))
    except RocmimgError:
        return ()


def _devices(cdi: Sequence[str]) -> Finding:
    nodes = gpu_nodes()
    if "/dev/kfd" in nodes and len(nodes) > 1:
        how = f"; containers get them by CDI: {' '.join(cdi)}" if cdi else ""
        return Finding(id="gpu", status="ok", detail=" ".join(nodes) + how)
    if not nodes:
        return Finding(
            id="gpu",
            status="not run",
            detail="no AMD GPU: no /dev/kfd; images build, checks that need a GPU are reported as not run",
        )
    return Finding(
        id="gpu",
        status="problem",
        detail=f"only {' '.join(nodes)}; ROCm needs /dev/kfd and /dev/dri/renderD*",
        next_step="load the amdgpu driver (`modprobe amdgpu`) and see `dmesg`",
    )


def _groups() -> Finding:
    groups = node_groups(gpu_nodes())
    if not groups:
        return Finding(id="groups", status="not run", detail="no AMD GPU")
    named = ", ".join(f"{name} ({gid})" for gid, name in groups.items())
    missing = missing_groups(groups)
    if missing:
        names = ",".join(groups[gid] for gid in missing)
        return Finding(
            id="groups",
            status="problem",
            detail=f"the devices belong to {named}; this user is not in {names}",
            next_step=f"`sudo usermod -aG {names} $USER`, then log in again; containers get the numbers either way",
        )
    return Finding(id="groups", status="ok", detail=f"the devices belong to {named}")


def _mmdebstrap() -> Finding:
    if where := shutil.which("mmdebstrap"):
        return Finding(id="mmdebstrap", status="ok", detail=where)
    return Finding(
        id="mmdebstrap",
        status="problem",
        detail="not installed: the lab base starts from the hub's Debian image",
        next_step="`scripts/apt-install.sh mmdebstrap` on Debian and Ubuntu",
    )
