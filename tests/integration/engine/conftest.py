"""Real engines. ROCMIMG_TEST_ENGINES picks: ``default`` (the one that ``connect`` finds), ``docker20``, ``docker28``,
``docker28-containerd``, ``podman4``, ``podman5``, a comma-separated list of them, or ``all``.

All but the default are started here, in namespaces of their own, as root: Docker 20.10 and podman 4.3 of Debian 12,
Docker 28 and podman 5 of Debian testing, unpacked once with mmdebstrap below $XDG_CACHE_HOME/rocmimg/engines.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from rocmimg.engine import BuildRequest, connect
from rocmimg.engine.client import Engine
from rocmimg.engine.endpoint import Endpoint
from rocmimg.engine.reach import closure
from rocmimg.errors import EngineError

HERE = Path(__file__).parent
EXTRA = {
    "docker20": ("docker20", "docker"),
    "docker28": ("docker28", "docker"),
    "docker28-containerd": ("docker28", "docker", "--feature", "containerd-snapshotter=true"),
    "podman4": ("podman4", "podman"),
    "podman5": ("podman5", "podman"),
}
"""Name -> where it is unpacked, its kind, arguments of its daemon."""
UNPACKED = {
    "docker20": ("bookworm", "docker.io,iptables,mount,iproute2"),
    "docker28": ("testing", "docker.io,iptables,mount,iproute2"),
    "podman4": ("bookworm", "podman,runc,mount,iproute2"),
    "podman5": ("testing", "podman,runc,mount,iproute2"),
}
"""Name -> Debian's suite and packages."""
BASE = "rocmimg-engine-test:base"
TOOLS = (
    "bash cat chmod cp date dd df getent grep head id ls mkdir mv printf ps rm setsid sleep tail timeout touch tr wc"
)


@dataclass(frozen=True)
class Started:
    """One engine to test: its name here, where it is, and the process whose namespaces it lives in."""

    name: str
    url: str
    pid: int | None = None

    def inside(self) -> list[str]:
        """What to put before a command so that it sees this engine's loopback interface."""
        return [] if self.pid is None else ["nsenter", f"--net=/proc/{self.pid}/ns/net"]


def wanted() -> list[str]:
    names = os.environ.get("ROCMIMG_TEST_ENGINES", "default")
    return ["default", *EXTRA] if names == "all" else names.split(",")


def asked(*kinds: str) -> list[Any]:
    """Parameters: the engines of EXTRA whose name begins with one of ``kinds``; skipped where nobody asked for them."""
    names = [name for name in EXTRA if name.startswith(kinds)]
    return [
        pytest.param(name, marks=() if name in wanted() else pytest.mark.skip(f"not run: ROCMIMG_TEST_ENGINES={name}"))
        for name in names
    ]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.engine)


@pytest.fixture(scope="session", params=wanted())
def started(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Started]:
    if request.param == "default":
        try:
            with connect() as engine:
                yield Started("default", engine.info.url)
        except EngineError as error:
            pytest.skip(str(error))
        return
    with isolated(request.param, tmp_path_factory.mktemp(request.param)) as engine_started:
        yield engine_started


@pytest.fixture(scope="session")
def engine(started: Started) -> Iterator[Engine]:
    with open_engine(started) as engine:
        yield engine


@pytest.fixture(scope="session")
def base(engine: Engine) -> Iterator[str]:
    """An image of this machine's own shell and tools, so that no registry is needed."""
    build_base(engine)
    yield BASE
    engine.remove(BASE, force=True)


def open_engine(started: Started) -> Engine:
    return connect() if started.name == "default" else Engine(Endpoint(url=started.url, source="test"))


def build_base(engine: Engine) -> None:
    found = [Path(path) for tool in TOOLS.split() if (path := shutil.which(tool))]
    text = """\
FROM scratch
COPY root /
RUN ["/bin/sh", "-c", "mkdir -p /tmp /var /etc; chmod 1777 /tmp"]
LABEL kind=base
"""
    engine.build(BuildRequest(dockerfile=text, context=closure(*found, Path("/bin/sh")), tags=(BASE,)), lambda _: None)


@contextlib.contextmanager
def isolated(name: str, state: Path, *options: str, data_size: str = "") -> Iterator[Started]:
    """Start one of EXTRA; ``data_size`` puts its data on a file system of that size.

    In further ``options`` of its daemon ``{state}`` is a path that names the folder ``state`` inside and outside.
    """
    folder, kind, *arguments = EXTRA[name]
    if os.geteuid() != 0:
        pytest.skip(f"{name} is started here, which needs root")
    root = unpacked(folder)
    if data_size:
        (state / "data.size").write_text(data_size)
    # The socket's path has to stay short.
    short = Path("/tmp", f"rocmimg-test-{uuid.uuid4().hex[:12]}")
    short.symlink_to(state)
    log = state / "engine.log"
    given = [option.format(state=short) for option in options]
    with log.open("wb") as output:
        command = [HERE / "isolated-engine.sh", kind, short, root, *arguments, *given]
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=output)
    try:
        url = f"unix://{short}/engine.sock"
        deadline = time.monotonic() + 60
        while True:
            try:
                Engine(Endpoint(url=url, source="test")).close()
                break
            except EngineError as error:
                if process.poll() is not None or time.monotonic() > deadline:
                    pytest.fail(f"{name} did not start: {error}\n{log.read_text()[-3000:]}")
            time.sleep(0.1)
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        yield Started(name, url, int(children[0]))
    finally:
        process.kill()
        process.wait()
        short.unlink()
        shutil.rmtree(state, ignore_errors=True)


def unpacked(name: str) -> Path:
    """A Debian with that engine, unpacked once."""
    suite, packages = UNPACKED[name]
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache", "rocmimg", "engines")
    root = cache / f"debian-{suite}-{name}"
    if not root.is_dir():
        if not shutil.which("mmdebstrap"):
            pytest.skip(f"{name} is unpacked with mmdebstrap, which is not here")
        cache.mkdir(parents=True, exist_ok=True)
        partial = root.with_suffix(f".{os.getpid()}")
        subprocess.run(
            [
                "mmdebstrap",
                "--quiet",
                "--variant=essential",
                '--aptopt=Acquire::Check-Valid-Until "false"',
                "--dpkgopt=path-exclude=/usr/share/doc/*",
                "--dpkgopt=path-exclude=/usr/share/man/*",
                f"--include={packages}",
                suite,
                partial,
            ],
            check=True,
        )
        partial.rename(root)
    return root
