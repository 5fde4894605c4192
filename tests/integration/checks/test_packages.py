"""Real packages of the index, each in an image of its own: what is said of them, compared with other tools.

Small ones always, all of them with ROCMIMG_TEST_PACKAGES=1 (`make test-packages`, about 0.8 GB), and with the value
`debian` Debian's llama.cpp too (6.6 GB unpacked). docs/real-packages.md has the findings as they were judged.
"""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from rocmimg.builds.locate import locate_references
from rocmimg.builds.observe import QuietView
from rocmimg.checks.run import Options, run
from rocmimg.engine import BuildRequest, ContainerSpec
from rocmimg.plan import ContextFile

ASKED = os.environ.get("ROCMIMG_TEST_PACKAGES", "")
SMALL = {"amd-mori": "3.12", "jax-rocm7-plugin": "3.14"}
LARGE = {
    "amd-aiter": "3.14", "mooncake-transfer-engine-rocm": "3.12", "cupy-rocm-7-0": "3.14", "jax-rocm7-pjrt": "3.14",
    "bitsandbytes": "3.14", "flydsl": "3.14", "cyllama-rocm": "3.14", "mojolearn-amd": "3.14", "tilelang": "3.14",
    "triton": "3.14",
}  # fmt: skip
JUDGED = {"requirements", "missing-libraries", "needed-libraries"}
"""What fails on a base without ROCm 7 when a wheel is installed without what it requires, and nothing else may."""
READER = """
import json, os, re, subprocess, sys, tempfile
reader, found = sys.argv[1], {}
for path in json.load(sys.stdin):
    with tempfile.TemporaryDirectory() as scratch:
        os.symlink(path, scratch + "/f")
        subprocess.run([reader, "--offloading", "f"], cwd=scratch, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        for name in os.listdir(scratch):
            arch = re.search(r"amdgcn-amd-amdhsa-*(?:unknown-*)?(gfx[0-9a-z-]+)", name)
            if arch:
                one = found.setdefault(path, {})
                one[arch[1]] = one.get(arch[1], 0) + os.path.getsize(scratch + "/" + name)
print(json.dumps(found))
"""


@pytest.fixture
def judge(host_engine, tmp_path):
    """The result of an image."""

    def judged(tag, *archs, tiers=("image", "import")):
        subjects = locate_references(host_engine, [tag], archs, lambda *_: None)
        (result,) = run(subjects, host_engine, Options(tiers=tiers, results=tmp_path / "results"), QuietView())
        return result

    return judged


def download(name: str, python: str, folder: Path) -> Path:
    command = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "--only-binary", ":all:", "-d", str(folder)]
    done = subprocess.run(
        [*command, "--python-version", python, name], capture_output=True, text=True, timeout=500, check=False
    )
    if done.returncode:
        pytest.skip(f"{name} is not to be had here: {done.stderr.strip().splitlines()[-1]}")
    (wheel,) = folder.glob("*.whl")
    return wheel


@pytest.fixture
def installed(host_engine, lab_base, tmp_path):
    """Build the lab's base with one wheel of the index; the image goes away with the test."""
    tags = []

    def build(name: str, python: str) -> str:
        wheel = download(name, python, tmp_path)
        options = "--no-deps --no-index --no-cache-dir -q"
        if python != "3.14":
            folder = "$(python3 -c 'import sysconfig; print(sysconfig.get_path(\"purelib\"))')"
            options += f" --python-version {python} --only-binary :all: --target {folder}"
        mount = f"--mount=type=bind,source={wheel.name},target=/tmp/{wheel.name}"
        text = f"FROM {lab_base}\nRUN {mount} pip install {options} /tmp/{wheel.name}\n"
        tag = f"rocmimg-checks/{name}:1"
        context = (ContextFile(path=wheel.name, data=wheel),)
        host_engine.build(BuildRequest(dockerfile=text, context=context, tags=(tag,)), lambda _: None)
        tags.append(tag)
        return tag

    yield build
    for tag in tags:
        host_engine.remove(tag, force=True)


@pytest.fixture(scope="session")
def lab_base(lab, host_engine):
    return next(tag for image in host_engine.images() for tag in image.tags if tag.startswith("rocmimg/lab-base:"))


def cases():
    large = () if ASKED else pytest.mark.skip("large: ROCMIMG_TEST_PACKAGES=1, or make test-packages")
    for name, python in (SMALL | LARGE).items():
        yield pytest.param(name, python, id=name, marks=() if name in SMALL else large)


@pytest.mark.parametrize(("name", "python"), list(cases()))
def test_what_is_said_of_a_package_is_true(name, python, installed, judge, host_engine):
    tag = installed(name, python)
    result = judge(tag)
    assert {check.id for check in result.failures} <= JUDGED, [(c.id, c.reason) for c in result.failures]
    assert {check.id for check in result.missing} == set()
    findings = {check.id: [one for one in check.findings if one.level == "failure"] for check in result.failures}
    with host_engine.run(ContainerSpec(image=tag)) as container:
        pip = container.exec(["python3", "-m", "pip", "check"], timeout=120).stdout.decode()
        said = re.findall(r"^(\S+) \S+ requires (\S+), which is not installed", pip, re.MULTILINE)
        ours = [_requirement(one.what) for one in findings.get("requirements", ())]
        assert sorted((a.lower(), b.lower()) for a, b in ours) == sorted((a.lower(), b.lower()) for a, b in said)
        lost = [one.what for check in JUDGED - {"requirements"} for one in findings.get(check, ())]
        libraries = {name for what in lost for name in re.findall(r"lib[\w+-]+\.so[.\d]*", what.split(": not")[0])}
        libraries -= {Path(what.split(":")[0].split(" needs")[0]).name for what in lost}
        assert not lost or libraries
        tests = [word for library in sorted(libraries) for word in ("-o", "-name", library)][1:] or ["-name", "none"]
        there = container.exec(["find", "/usr", "/opt", "/lib", *tests], timeout=120).stdout.decode().split()
        assert there == []
        _compare_code(result, container)


def _requirement(what):
    who, _, wanted = what.partition(" requires ")
    return who.split()[0], re.split(r"[<>=!~,]", wanted)[0]


def _compare_code(result, container):
    """Architectures and bytes of every file, against LLVM's own reader, for the files that it can read."""
    arch_code = next(check for check in result.checks if check.id == "arch-code")
    files = arch_code.details.get("files", {})
    find = ["sh", "-c", "ls /usr/lib/llvm-*/bin/llvm-objdump | tail -n 1"]
    reader = container.exec(find, timeout=60).stdout.decode().strip()
    asked = json.dumps([path for path in files if ".so" in path]).encode()
    theirs = json.loads(container.exec(["python3", "-c", READER, reader], timeout=500, stdin=asked).stdout)
    assert {path: files[path] for path in theirs} == theirs


def test_debians_llama_is_for_other_gpus(host_engine, lab_base, judge):
    if ASKED != "debian":
        pytest.skip("6.6 GB: ROCMIMG_TEST_PACKAGES=debian")
    tag = "rocmimg-checks/llama:1"
    text = f"""\
FROM {lab_base}
RUN apt-get -o Acquire::Retries=5 update && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends \\
    llama.cpp libggml0-backend-hip && rm -rf /var/lib/apt/lists/* /var/cache/apt/archives/*.deb
ENTRYPOINT ["llama-server"]
"""
    host_engine.build(BuildRequest(dockerfile=text, tags=(tag,), network_mode="host"), lambda _: None)
    try:
        result = judge(tag, "gfx942", tiers=("image",))
    finally:
        host_engine.remove(tag, force=True)
    assert {check.id for check in result.failures} == {"arch-code", "tensile"}
    said = next(check.reason for check in result.failures if check.id == "arch-code")
    assert said.startswith("there is no GPU code for gfx942 anywhere in the image; it has gfx1010, gfx1030")
    assert "gfx803" in said
