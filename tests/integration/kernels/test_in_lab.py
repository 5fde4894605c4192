"""Kernels in real images: a real hipcc, a real container, and the real HIP runtime without a GPU."""

import json
import os
import secrets
import subprocess
import sys
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import pytest
from checks.faults import Fault

from rocmimg.checks.backend import host_of
from rocmimg.checks.job import Gpu
from rocmimg.checks.kernels.compile import FOLDER, INSIDE, compile_hip, prepare
from rocmimg.checks.kernels.manifest import load_manifest
from rocmimg.checks.kernels.pack import write_pack
from rocmimg.checks.kernels.run_packs import run_packs
from rocmimg.checks.kernels.runner import KernelRunner
from rocmimg.checks.kernels.session import KernelSession
from rocmimg.engine import BuildRequest, ContainerSpec
from rocmimg.plan import LABEL_CELL, ContextFile

HIP = {"aot-hip-vector-add", "aot-hip-rmsnorm", "aot-hip-matmul-bf16"}
TRITON = {"aot-triton-vector-add", "aot-triton-rmsnorm", "aot-triton-matmul-bf16"}
WRAPPED = """
mv /usr/bin/hipcc /usr/bin/hipcc.real
printf '%s\\n' '#!/bin/bash' 'exec hipcc.real "${@/#--offload-arch=*/--offload-arch=gfx906}"' > /usr/bin/hipcc
chmod +x /usr/bin/hipcc
"""


def statuses(result):
    return {check.id: check.status for check in result.checks}


def test_the_lab_s_hipcc_makes_the_kernels_and_they_are_exported(judge, tmp_path):
    result = judge(tiers=("aot",), export_kernels=tmp_path / "export")
    found = statuses(result)
    assert {found[name] for name in HIP} == {"passed"}
    details = next(check.details for check in result.checks if check.id == "aot-hip-matmul-bf16")
    assert details["instructions"] == ["v_mfma_f32_16x16x16_bf16"]
    manifest = load_manifest(tmp_path / "export" / "lab-gfx942")
    assert {kernel.id for kernel in manifest.kernels if kernel.language == "hip"} == {
        "hip-gfx942-vector_add",
        "hip-gfx942-rmsnorm",
        "hip-gfx942-matmul_bf16",
    }
    assert manifest.image == result.image_id


@pytest.mark.parametrize(
    ("fault", "fails"),
    [
        (Fault("a hipcc that compiles for one GPU, whatever it is told", "", "it is for gfx906", script=WRAPPED), HIP),
        (Fault("no device libraries", "", "hipcc exits 1", script="find / -xdev -name 'ocml*.bc' -delete"), HIP),
        (
            Fault(
                "a Triton that does not import",
                "",
                "Triton exits 1",
                script="mkdir $SITE/triton; echo 'import libtriton' > $SITE/triton/__init__.py",
            ),
            TRITON,
        ),
    ],
    ids=lambda value: value.name if isinstance(value, Fault) else "",
)
def test_a_broken_compiler_is_found(faulty, judge, fault, fails):
    result = judge(faulty(fault), tiers=("aot",))
    assert {check.id for check in result.failures} == fails
    assert fault.says in "".join(check.reason for check in result.failures)
    assert all(check.cause or check.reason for check in result.failures)
    assert all(check.fix for check in result.failures)


@pytest.fixture
def full_image(host_engine):
    """An image FROM the lab's variant with Triton, if somebody has built it, with one line more."""
    base = next((i for i in host_engine.images() if i.labels.get(LABEL_CELL) == "lab-gfx942-full" and i.tags), None)
    if base is None:
        pytest.skip("no image of lab-gfx942-full: `rocmimg build lab-gfx942-full`")
    tag = f"rocmimg-kernels/fault:{os.getpid()}"

    def build(line: str) -> str:
        text = f"FROM {base.tags[0]}\n{line}\n"
        host_engine.build(BuildRequest(dockerfile=text, tags=(tag,)), lambda _: None)
        return tag

    yield build
    host_engine.remove(tag, force=True)


def test_a_triton_that_makes_code_for_another_gpu_is_found(full_image, judge):
    clean = judge(full_image("ENV NOTHING=1"), tiers=("aot",))
    assert {statuses(clean)[name] for name in HIP | TRITON} == {"passed"}
    broken = judge(full_image("ENV TRITON_OVERRIDE_ARCH=gfx90a"), tiers=("aot",))
    assert {check.id for check in broken.failures} == TRITON
    assert "it is for gfx90a" in broken.failures[0].reason


def test_without_a_disassembler_the_matrix_instruction_is_not_proven(faulty, judge):
    result = judge(faulty(Fault("", "", "", script="find / -xdev -name 'llvm-objdump*' -delete")), tiers=("aot",))
    found = statuses(result)
    assert found["aot-hip-matmul-bf16"] == "not-run"
    assert found["aot-hip-rmsnorm"] == "passed"


def test_without_hipcc_there_is_nothing_to_prove(faulty, judge):
    result = judge(faulty(Fault("", "", "", script="rm /usr/bin/hipcc")), tiers=("aot",))
    assert {statuses(result)[name] for name in HIP} == {"not-applicable"}


@pytest.fixture(scope="module")
def attempts(lab, host_engine):
    """What the lab's hipcc makes."""
    with host_engine.run(ContainerSpec(image=lab["lab-gfx942"])) as container:
        prepare(container)
        return list(compile_hip(container, ["gfx942"]))


@pytest.fixture
def proof(lab, host_engine, attempts, tmp_path):
    """The proof of an image with a GPU; the GPU is one in name only."""
    with host_engine.run(ContainerSpec(image=lab["lab-gfx942"])) as container:
        image = SimpleNamespace(
            container=container,
            host=partial(host_of, container),
            expect=SimpleNamespace(python="python3", archs=("gfx942",), cell="lab-gfx942"),
            gpu=Gpu(index=0, arch="gfx942", render="/dev/dri/renderD128"),
            folder=tmp_path,
        )
        proof = KernelSession(image)
        proof.__dict__["attempts"] = attempts
        write_pack(tmp_path / "kernels", [attempt.compiled for attempt in attempts], seed=1)
        proof.container = container
        yield proof


def put_fake(container, library):
    container.put("/usr/local/lib", [ContextFile(path="libamdhip64.so", data=library, mode=0o755)])
    assert container.exec(["ldconfig"], timeout=30).exit_code == 0


def test_the_real_runtime_without_a_gpu_proves_nothing(proof):
    assert {(result.status, result.reason) for result in proof.packed.values()} == {("not-run", "no AMD GPU")}


def test_kernels_run_inside_the_image(proof, fake_hip):
    put_fake(proof.container, fake_hip)
    found = {name: (result.status, result.reason) for name, result in proof.packed.items()}
    assert found["hip-gfx942-vector_add"] == ("passed", "")
    assert found["hip-gfx942-rmsnorm"] == ("passed", "")
    assert found["hip-gfx942-matmul_bf16"] == ("failed", "hipModuleLaunchKernel: error 1, some error")


def test_a_hang_is_ended_inside_the_container(proof, fake_hip):
    assert proof.packed
    put_fake(proof.container, fake_hip)
    driver = KernelRunner(
        execute=lambda argv: proof.container.exec(argv, timeout=60, env={"FAKE_HIP_FAULT": "hang"}),
        argv=["python3", INSIDE, "run_pack", f"{FOLDER}/pack", "--limit", "2"],
        ids=[attempt.compiled.id for attempt in proof.attempts],
    )
    found = {result.id: result for result in driver.results()}
    assert found["hip-gfx942-vector_add"].status == "passed"
    assert found["hip-gfx942-rmsnorm"].hung
    assert found["hip-gfx942-matmul_bf16"].status == "not-run"
    assert found["hip-gfx942-matmul_bf16"].reason == "hip-gfx942-rmsnorm hung on the GPU before it"
    assert {"amd-smi process", "kernel log"} <= set(proof.evidence)
    left = proof.container.exec(["/bin/sh", "-c", "cat /proc/[0-9]*/cmdline"], timeout=15).stdout
    assert b"run_pack" not in left


def test_an_image_without_torch_has_nothing_for_the_probe(lab, host_engine):
    with host_engine.run(ContainerSpec(image=lab["lab-gfx942"])) as container:
        prepare(container)
        done = container.exec(["python3", INSIDE, "gpu_probe", "--arch", "gfx942"], timeout=60)
    results = [json.loads(line) for line in done.stdout.splitlines() if b'"result"' in line]
    assert {(result["status"], result["reason"]) for result in results} == {
        ("not-applicable", "torch is not installed")
    }


def test_a_pack_of_a_real_image_runs_on_this_machine_or_says_why_not(attempts, tmp_path):
    write_pack(tmp_path, [attempt.compiled for attempt in attempts], seed=2)
    (result,) = run_packs([tmp_path])
    assert {check.status for check in result.checks} <= {"passed", "not-run"}
    assert all(check.reason for check in result.missing)


@pytest.mark.skipif("ROCMIMG_TINYGRAD" not in os.environ, reason="ROCMIMG_TINYGRAD names no checkout of tinygrad")
def test_an_emulator_of_the_instruction_set_gets_the_right_values(lab, host_engine, tmp_path):
    with host_engine.run(ContainerSpec(image=lab["lab-gfx942"])) as container:
        prepare(container)
        made = compile_hip(container, ["gfx942", "gfx950"])
        write_pack(tmp_path, [attempt.compiled for attempt in made], seed=secrets.randbits(32))
    emulator = [sys.executable, str(Path(__file__).parent / "emulate.py"), os.environ["ROCMIMG_TINYGRAD"]]
    done = subprocess.run([*emulator, str(tmp_path)], capture_output=True, text=True, check=True, env=os.environ)
    results = [json.loads(line) for line in done.stdout.splitlines() if '"result"' in line]
    assert len(results) == 6
    assert {(result["status"], result["reason"]) for result in results} == {("passed", "")}
