"""Packs are run: right values pass, and nothing else does."""

import json
import os
import sys
from functools import partial

import pytest

from rocmimg.checks.kernels.local import run_here
from rocmimg.checks.kernels.run_packs import SCRIPT
from rocmimg.checks.kernels.runner import KernelRunner
from rocmimg.cli import run as rocmimg

RMSNORM, ADD = "hip-gfx942-rmsnorm", "hip-gfx942-vector_add"


@pytest.fixture
def results(pack, fake_hip):
    """Run the pack with a fault in rmsnorm; results by id."""

    def run(fault="", ids=(RMSNORM, ADD), limit=20):
        env = {**os.environ, "LD_LIBRARY_PATH": str(fake_hip), "FAKE_HIP_FAULT": fault}
        driver = KernelRunner(
            execute=partial(run_here, timeout=30, env=env),
            argv=[sys.executable, str(SCRIPT), str(pack), "--limit", str(limit)],
            ids=ids,
        )
        return {result.id: result for result in driver.results()}

    return run


def edit(pack, **changes):
    path = pack / "manifest.json"
    manifest = json.loads(path.read_text())
    for kernel in manifest["kernels"]:
        kernel.update(changes)
    path.write_text(json.dumps(manifest))


def test_right_values_pass_with_their_error(results):
    found = results()
    assert {r.status for r in found.values()} == {"passed"}
    assert 1e-4 < found[RMSNORM].error < 4e-3
    assert found[ADD].error < 1e-7
    assert found[ADD].device == "gfx942"


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        ("wrong", "relative error"),
        ("unwritten", "1000 of 7000 values are NaN, infinite or never written, the first at 6000"),
        ("outside", "wrote outside of out"),
        ("overwrites", "overwrote its input x"),
        ("launch", "hipModuleLaunchKernel: error 701, some error"),
        ("crash", "the process died of SIGABRT"),
    ],
)
def test_a_wrong_kernel_fails_and_the_next_one_runs(results, fault, reason):
    found = results(fault)
    assert found[RMSNORM].status == "failed"
    assert reason in found[RMSNORM].reason
    assert found[ADD].status == "passed"


def test_a_hang_is_ended_and_reported_and_nothing_is_launched_after_it(results):
    found = results("hang", limit=1)
    assert found[RMSNORM].status == "failed"
    assert found[RMSNORM].hung
    assert "hangs: ended after" in found[RMSNORM].reason
    assert "launch" in found[RMSNORM].output  # where it hung
    assert found[ADD].status == "not-run"
    assert f"{RMSNORM} hung" in found[ADD].reason


def test_without_a_gpu_nothing_is_proven(results):
    assert {(r.status, r.reason.partition(":")[0]) for r in results("no-device").values()} == {
        ("not-run", "no AMD GPU")
    }


def test_a_runtime_that_does_not_start_is_a_failure(results):
    found = results("not-initialized")
    assert {r.status for r in found.values()} == {"failed"}
    assert found[ADD].reason == "hipInit: error 3, some error"


def test_another_gpu_proves_nothing(pack, results):
    edit(pack, arch="gfx950")
    assert {(r.status, r.reason) for r in results().values()} == {("not-run", "found gfx942, need gfx950")}


def test_code_that_does_not_load_fails(pack, results):
    (pack / f"{ADD}.hsaco").write_bytes(b"nothing")
    assert results()[ADD].reason == "hipModuleLoadData: error 209, no kernel image is available"


def test_a_tolerance_of_nan_passes_nothing(pack, results):
    edit(pack, tolerance=float("nan"))
    assert {r.status for r in results().values()} == {"failed"}


def test_a_script_that_says_nothing_is_a_failure(pack):
    driver = KernelRunner(
        execute=partial(run_here, timeout=10), argv=[sys.executable, "-c", "raise SystemExit('no')"], ids=["a", "b"]
    )
    found = list(driver.results())
    assert [(r.id, r.status) for r in found] == [("a", "failed"), ("b", "failed")]
    assert found[0].output == "no"


class TestCommand:
    """`rocmimg kernels run`."""

    @pytest.fixture(autouse=True)
    def runtime(self, fake_hip, monkeypatch):
        monkeypatch.setenv("LD_LIBRARY_PATH", str(fake_hip))

    def test_passes_and_says_so_as_json(self, pack, capsys):
        assert rocmimg(["kernels", "run", str(pack), "--json"]) == 0
        (result,) = json.loads(capsys.readouterr().out)
        assert result["id"] == "lab-gfx942"
        assert result["image_id"] == "sha256:1"
        assert {check["id"]: check["status"] for check in result["checks"]} == {RMSNORM: "passed", ADD: "passed"}

    def test_takes_a_folder_of_packs(self, pack, capsys):
        assert rocmimg(["kernels", "run", str(pack.parent)]) == 0
        assert "2 passed" in capsys.readouterr().out

    def test_a_failure_is_exit_code_9_and_a_crash_brings_the_machine_s_word(self, pack, monkeypatch, capsys):
        monkeypatch.setenv("FAKE_HIP_FAULT", "crash")
        assert rocmimg(["kernels", "run", str(pack), "--json"]) == 9
        (result,) = json.loads(capsys.readouterr().out)
        details = next(check["details"] for check in result["checks"] if check["id"] == RMSNORM)
        assert {"the process", "amd-smi process", "kernel log"} <= set(details["evidence"])

    def test_a_crash_is_in_the_junit_file_with_what_the_machine_says(self, pack, monkeypatch, tmp_path):
        monkeypatch.setenv("FAKE_HIP_FAULT", "crash")
        junit = tmp_path / "junit.xml"
        assert rocmimg(["kernels", "run", str(pack), "--junit", str(junit)]) == 9
        assert "kernel log:" in junit.read_text()

    def test_no_gpu_is_not_run_and_exit_code_10_where_it_is_required(self, pack, monkeypatch, capsys, tmp_path):
        monkeypatch.setenv("FAKE_HIP_FAULT", "no-device")
        junit = tmp_path / "junit.xml"
        assert rocmimg(["kernels", "run", str(pack), "--junit", str(junit)]) == 0
        assert "no AMD GPU" in capsys.readouterr().out
        assert junit.read_text().count("<skipped") == 2
        assert rocmimg(["kernels", "run", str(pack), "--require-gpu"]) == 10

    def test_a_folder_without_a_pack_is_exit_code_12(self, tmp_path, capsys):
        (tmp_path / "empty").mkdir()
        assert rocmimg(["kernels", "run", str(tmp_path / "empty")]) == 12
        assert "--export-kernels" in capsys.readouterr().err
