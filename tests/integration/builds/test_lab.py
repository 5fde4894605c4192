"""The lab: a real HIP compiler, real kernels, through the recipe of AITER."""

import shutil
import socket
import subprocess
import time
from pathlib import Path

import pytest

from rocmimg.engine import ContainerSpec

ROOT = Path(__file__).parents[3]


@pytest.fixture
def build_lab(lab, host_engine, run_rocmimg):
    """Build lab-gfx942 with `--set` values under a version of its own, and run a command in it."""

    def build(*sets):
        args = [word for text in (*sets, "version=rocmimg-test") for word in ("--set", text)]
        done = run_rocmimg("build", "lab-gfx942", *args)
        assert done.returncode == 0, done.stdout
        return lambda command: _exec(host_engine, "rocmimg/lab:rocmimg-test-lab-mi30x", command)

    yield build
    host_engine.remove("rocmimg/lab:rocmimg-test-lab-mi30x", force=True)


def _exec(engine, image, command):
    with engine.run(ContainerSpec(image=image)) as container:
        done = container.exec(["bash", "-c", command], timeout=120)
    return done.exit_code, done.stdout.decode() + done.stderr.decode()


LIBRARIES = "ls /sgl-workspace/labkernels/labkernels/lib/*.so | wc -l"
COMPILER = "grep -ao 'labkernels compiler: [[:graph:]]*' /sgl-workspace/labkernels/labkernels/lib/*.so | sort -u"


def test_all_kernels_are_built_ahead(build_lab):
    run = build_lab("flags.BUILD_AITER_ALL=1")
    assert run(LIBRARIES) == (0, "2\n")
    assert "lab-llvm" not in run(COMPILER)[1]
    assert run("cd / && python3 -c 'import labkernels; print(labkernels.__file__)'") == (
        0,
        "/sgl-workspace/labkernels/labkernels/__init__.py\n",
    )


def test_all_kernels_are_built_ahead_with_a_compiler_of_ones_own(build_lab):
    run = build_lab("flags.BUILD_AITER_ALL=1", "flags.BUILD_LLVM=1")
    assert run(LIBRARIES) == (0, "2\n")
    assert "lab-llvm" in run(COMPILER)[1]
    assert run("echo $HIP_CLANG_PATH") == (0, "/opt/llvm/bin\n")


def test_neither_leaves_the_kernels_to_the_first_use(build_lab):
    run = build_lab("flags.BUILD_AITER_ALL=0")
    assert run("find /sgl-workspace -name '*.so'") == (0, "")
    code, said = run("GPU_ARCHS=gfx942 python3 -c 'import labkernels; print(labkernels.library(\"rmsnorm\")._name)'")
    assert (code, said.splitlines()[-1]) == (0, "/sgl-workspace/labkernels/labkernels/lib/librmsnorm.so")


def test_a_wheel_is_installed_without_a_checkout(build_lab):
    run = build_lab("components.labkernels.install=wheel", "flags.BUILD_AITER_ALL=1")
    code, said = run("ls /sgl-workspace; python3 -c 'import labkernels; print(labkernels.library(\"rmsnorm\")._name)'")
    assert code == 0
    assert "dist-packages/labkernels/lib/librmsnorm.so" in said.splitlines()[0]


@pytest.fixture
def git_server(tmp_path):
    """The lab's kernels in a repository behind a real git server on loopback: URL and the commits of v1 and main."""
    work = tmp_path / "labkernels"
    shutil.copytree(ROOT / "examples/lab/labkernels", work)

    def git(*args):
        command = ["git", "-c", "user.name=t", "-c", "user.email=t@example.org", *args]
        return subprocess.run(command, cwd=work, check=True, capture_output=True, text=True).stdout.strip()

    git("init", "--quiet", "--initial-branch=main")
    git("config", "uploadpack.allowFilter", "true")
    git("config", "uploadpack.allowAnySHA1InWant", "true")
    git("add", ".")
    git("commit", "--quiet", "--message=one")
    git("tag", "v1")
    first = git("rev-parse", "HEAD")
    init = work / "labkernels/__init__.py"
    init.write_text(init.read_text() + "\nNEWER = True\n")
    git("commit", "--quiet", "--all", "--message=two")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = subprocess.Popen(
        [
            "git",
            "daemon",
            "--export-all",
            "--reuseaddr",
            "--listen=127.0.0.1",
            f"--port={port}",
            f"--base-path={tmp_path}",
            str(tmp_path),
        ],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    url = f"git://127.0.0.1:{port}/labkernels"
    until = time.monotonic() + 20
    while subprocess.run(["git", "ls-remote", url], capture_output=True, check=False).returncode:
        assert time.monotonic() < until, "git daemon does not answer"
        time.sleep(0.1)
    yield url, first, git("rev-parse", "HEAD")
    server.terminate()
    server.wait()


@pytest.mark.parametrize("kind", ["tag", "commit", "branch"])
def test_sources_come_from_git_at_their_pin(build_lab, git_server, kind):
    url, first, latest = git_server
    ref, wanted = {"tag": ("v1", first), "commit": (first, first), "branch": ("main", latest)}[kind]
    run = build_lab(
        f"components.labkernels.repo={url}", f"components.labkernels.ref={ref}", "components.labkernels.source=git"
    )
    assert run("git -C /sgl-workspace/labkernels rev-parse HEAD") == (0, f"{wanted}\n")
    assert run(LIBRARIES) == (0, "2\n")


def test_a_mirror_takes_the_place_of_debians_host(project, lab, host_engine):
    sample = project("""
        targets:
          t:
            gpu_archs: [gfx942]
            base: {image: "rocmimg/lab-base:dev"}
            image: rocmimg-test/mirror
            components: {ask: {}}
            network: {apt_mirror: "http://127.0.0.1:9/mirror"}
    """)
    sample.recipe(
        "ask",
        "{% call m.run(network=true) %}apt-get update --print-uris > /asked{% endcall %}\n"
        "RUN echo; ! apt-get update --print-uris | grep 127.0.0.1\n",
    )
    (row,) = sample.json("build")
    assert row["status"] == "built", row
    with host_engine.run(ContainerSpec(image="rocmimg-test/mirror:dev-t-mi30x")) as container:
        asked = container.exec(["cat", "/asked"], timeout=20).stdout.decode()
    assert "'http://127.0.0.1:9/mirror/debian/dists/testing/InRelease'" in asked
