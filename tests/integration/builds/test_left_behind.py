"""What SIGKILL leaves is removed by the next run: folders of mmdebstrap, and of `rocmimg test` a container and folders.

And nothing else: not what a living process, another user or another machine with the same engine made.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from rocmimg.engine import ContainerSpec
from rocmimg.engine.client import Engine
from rocmimg.engine.container import OWNER_LABEL
from rocmimg.leftovers import token

pytestmark = pytest.mark.engine
MAKE = """
import sys
from pathlib import Path
from rocmimg.builds.rootfs import RootfsMaker
from rocmimg.matrix.model import Rootfs
from rocmimg.plan import RootfsPlan
plan = RootfsPlan(rootfs=Rootfs(), key="k", archive=Path(sys.argv[1]) / "made.tar")
RootfsMaker().ensure(plan, lambda line: print(line, flush=True))
"""
STANDS_STILL = """\
#!/bin/sh
root=$(mktemp -d "$TMPDIR/mmdebstrap.XXXX")
mount -t tmpfs rocmimg-left-behind "$root"
echo "$root" > "$STARTED"
echo x > "$root/file"
sleep 3617 & sleep 3617
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="only root's mmdebstrap mounts in the machine's own namespace")
def test_mmdebstrap_ends_with_us_without_mounts_and_the_next_run_removes_its_folders(tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "tmp").mkdir()
    program = tmp_path / "bin/mmdebstrap"
    program.write_text(STANDS_STILL)
    program.chmod(0o755)
    started = tmp_path / "started"
    env = os.environ | {
        "PATH": f"{tmp_path}/bin:{os.environ['PATH']}", "TMPDIR": str(tmp_path / "tmp"), "STARTED": str(started),
    }  # fmt: skip
    with subprocess.Popen([sys.executable, "-c", MAKE, str(tmp_path / "cache")], env=env) as process:
        _wait(lambda: started.exists() and started.read_text().endswith("\n"))
        assert _with_environment("STARTED", str(started)) > 1
        process.send_signal(signal.SIGKILL)
    root = Path(started.read_text().strip())
    _wait(lambda: _with_environment("STARTED", str(started)) == 0)
    assert str(root) not in Path("/proc/mounts").read_text()
    assert root.parent.exists()
    program.write_text('#!/bin/sh\nfor last; do :; done\necho made > "$last"\n')
    subprocess.run([sys.executable, "-c", MAKE, str(tmp_path / "cache")], env=env, check=True)
    assert list((tmp_path / "tmp").iterdir()) == []
    assert [one.name for one in (tmp_path / "cache").iterdir()] == ["made.tar"]


def test_the_next_run_removes_what_a_killed_test_left(host_engine: Engine, small_base: str, tmp_path: Path) -> None:
    before = _owners(host_engine)
    command = [sys.executable, "-m", "rocmimg", "test", small_base, "--tier", "image"]
    env = os.environ | {"TMPDIR": str(tmp_path)}
    with subprocess.Popen(command, cwd=tmp_path, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as one:
        _wait(lambda: bool(_owners(host_engine) - before))
        one.send_signal(signal.SIGKILL)
    (left,) = _owners(host_engine) - before
    assert f"_{one.pid}_" in left
    assert len(list(tmp_path.iterdir())) == 1
    parts = token().split("_")
    foreign = ["_".join([*parts[:at], value, *parts[at + 1 :]]) for at, value in ((0, "0" * 12), (1, "1"), (2, "4242"))]
    with _containers(host_engine, small_base, foreign), host_engine.run(ContainerSpec(image=small_base)):
        done = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, check=False)
        assert "Traceback" not in done.stderr
        assert _owners(host_engine) - before == {token(), *foreign}
    assert list(tmp_path.iterdir()) == []


@contextlib.contextmanager
def _containers(engine: Engine, image: str, owners: list[str]) -> Iterator[None]:
    client = engine._api.client
    config = {"Image": image, "Cmd": ["/bin/sh"]}
    made = [client.create_container_from_config({**config, "Labels": {OWNER_LABEL: owner}})["Id"] for owner in owners]
    try:
        yield
    finally:
        for one in made:
            client.remove_container(one)


def _owners(engine: Engine) -> set[str]:
    found = engine._api.client.containers(all=True, filters={"label": OWNER_LABEL})
    return {one["Labels"][OWNER_LABEL] for one in found}


def _with_environment(name: str, value: str) -> int:
    found = 0
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            found += entry.name.isdigit() and f"{name}={value}\0".encode() in (entry / "environ").read_bytes()
    return found


def _wait(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 120
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)
