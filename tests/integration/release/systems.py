"""Systems that stock runners have, as images made from their own archives with mmdebstrap: opt-in, a minute each."""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import subprocess
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from rocmimg.engine.client import Engine

_UBUNTU: Final = "http://archive.ubuntu.com/ubuntu"
_KEYRING: Final = "pool/main/u/ubuntu-keyring/ubuntu-keyring_2023.11.28.1_all.deb"
_KEYRING_SHA256: Final = "36de43b15853ccae0028e9a767613770c704833f82586f28eb262f0311adb8a8"
_SUITES: Final = {
    "debian-12": ("bookworm", "docker.io"),
    "debian-testing": ("testing", "docker-cli"),
    "ubuntu-22.04": ("jammy", "docker.io"),
    "ubuntu-24.04": ("noble", "docker.io"),
}
"""System -> suite, and the package that has the program `docker`."""
_PACKAGES: Final = "python3,python3-venv,git,ca-certificates,coreutils"
_SHARED: Final = ("/etc/pip.conf", "/etc/xdg/pip", "/etc/ssl/certs/ca-certificates.crt")
"""How this machine reaches its package index."""
SYSTEMS: Final = tuple(os.environ.get("ROCMIMG_TEST_RUNNERS", "").split())
HERE: Final = "this-machine"


@contextlib.contextmanager
def system(name: str, engine: Engine, folder: Path) -> Iterator[list[str]]:
    """A container of that system with ``folder``, the engine's socket and the machine's network; how commands begin."""
    if engine.remote:
        pytest.skip("the engine is on another machine")
    docker = ["docker", "--host", engine.info.url]
    image, container = f"rocmimg-test-{name}:{uuid.uuid4().hex[:8]}", f"rocmimg-test-{uuid.uuid4().hex[:8]}"
    shared = [*_SHARED, *filter(None, (os.environ.get(one, "") for one in ("PIP_CONFIG_FILE", "PIP_FIND_LINKS")))]
    mounts = [f"{path}:{path}:ro" for path in dict.fromkeys(shared) if Path(path).exists()]
    socket = engine.info.url.removeprefix("unix://")
    mounts += [f"{folder}:{folder}", f"{socket}:/var/run/docker.sock"]
    try:
        subprocess.run([*docker, "import", "--", _archive(name), image], check=True, stdout=subprocess.DEVNULL)
        volumes = [word for mount in mounts for word in ("--volume", mount)]
        words = ["run", "--detach", "--rm", "--init", "--name", container, "--network", "host", *volumes, image]
        subprocess.run([*docker, *words, "sleep", "3600"], check=True, stdout=subprocess.DEVNULL)
        yield [*docker, "exec", container]
    finally:
        subprocess.run([*docker, "rm", "--force", container], check=False, capture_output=True)
        subprocess.run([*docker, "rmi", "--force", image], check=False, capture_output=True)


def _archive(name: str) -> Path:
    """The system as a tar file, made once."""
    suite, docker = _SUITES[name]
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache", "rocmimg", "systems")
    made = cache / f"{name}.tar"
    if made.exists():
        return made
    if not shutil.which("mmdebstrap"):
        pytest.skip(f"{name} is made with mmdebstrap, which is not here")
    cache.mkdir(parents=True, exist_ok=True)
    partial = made.with_suffix(f".{os.getpid()}.tar")
    words = ["--quiet", "--variant=apt", f"--include={_PACKAGES},{docker}", '--aptopt=APT::Install-Recommends "false"']
    words += ["--dpkgopt=path-exclude=/usr/share/doc/*", "--dpkgopt=path-exclude=/usr/share/man/*"]
    if name.startswith("ubuntu"):
        mirror = f"deb [signed-by={_ubuntu_keyring(cache)}] {_UBUNTU} {suite} main universe"
        words += ['--aptopt=APT::Sandbox::User "root"', suite, str(partial), mirror]
    else:
        words += ['--aptopt=Acquire::Check-Valid-Until "false"', suite, str(partial)]
    if subprocess.run(["mmdebstrap", *words], check=False).returncode:
        partial.unlink(missing_ok=True)
        pytest.skip(f"not run: {name} cannot be made from its archive")
    partial.rename(made)
    return made


def _ubuntu_keyring(cache: Path) -> Path:
    """Ubuntu's keys, from its package with the digest that we know."""
    found = cache / "ubuntu/usr/share/keyrings/ubuntu-archive-keyring.gpg"
    if not found.exists():
        package = cache / "ubuntu-keyring.deb"
        if subprocess.run(["curl", "-sSf", "-o", package, f"{_UBUNTU}/{_KEYRING}"], check=False).returncode:
            pytest.skip("not run: Ubuntu's archive cannot be reached")
        assert hashlib.sha256(package.read_bytes()).hexdigest() == _KEYRING_SHA256
        subprocess.run(["dpkg-deb", "-x", package, cache / "ubuntu"], check=True)
    return found
