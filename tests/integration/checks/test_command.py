"""`rocmimg test` as a whole, on the lab."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from rocmimg.checks.model import result_from_json

ROOT = Path(__file__).parents[3]
NO_GPU = not Path("/dev/kfd").exists()


def test_results_are_bound_to_the_image_and_say_what_was_not_proven(lab, run_rocmimg, tmp_path):
    done = run_rocmimg("test", "lab-gfx942", "--tier", "import", "--tier", "gpu", "--junit", str(tmp_path / "j.xml"))
    assert done.returncode == 0, done.stdout + done.stderr
    stored = json.loads((ROOT / "examples/lab/build/results/lab-gfx942.json").read_text())
    result = result_from_json(stored)
    assert result.image_id == lab["lab-gfx942"]
    assert result.digest.startswith("sha256:")
    assert result.tier("import")["passed"]
    launch = next(check for check in result.checks if check.id == "labkernels-launch")
    if NO_GPU:
        assert (launch.status, launch.reason) == ("not-run", "no AMD GPU")
        assert "no AMD GPU" in done.stdout
        cases = {case.get("name"): case for case in ET.parse(tmp_path / "j.xml").iter("testcase")}  # noqa: S314
        assert cases["labkernels-launch"].find("skipped").get("message") == "not run: no AMD GPU"
        assert cases["origin"].find("skipped") is None


def test_json_has_one_object_an_image(lab, run_rocmimg):
    done = run_rocmimg("test", "--target", "lab", "--tier", "import", "--json")
    rows = json.loads(done.stdout)
    assert [row["id"] for row in rows] == ["lab-gfx942", "lab-gfx950"]
    for row in rows:
        assert row["status"] == "passed"
        assert row["image_id"] == lab[row["id"]]
        assert row["seconds"] > 0
        assert {"id", "status", "reason"} <= set(row["checks"][0])
        assert row["coverage"]["packages"]["labkernels"].keys() == {row["gpu_arch"]}


@pytest.mark.skipif(not NO_GPU, reason="there is an AMD GPU")
def test_a_gpu_that_is_required_and_missing_is_an_exit_code(lab, run_rocmimg, tmp_path):
    junit = tmp_path / "j.xml"
    done = run_rocmimg("test", "lab-gfx942", "--tier", "gpu", "--require-gpu", "--junit", str(junit))
    assert done.returncode == 10
    failures = ET.parse(junit).findall(".//failure")  # noqa: S314
    assert failures
    assert all(failure.get("message") == "not run: no AMD GPU" for failure in failures)


def test_an_image_that_is_not_there_is_not_proven(host_engine, run_rocmimg):
    done = run_rocmimg("test", "rocm720-gfx950", "--json", ROCMIMG_FILE="images.yaml")
    (row,) = json.loads(done.stdout)
    assert (done.returncode, row["status"], row["checks"]) == (10, "not-run", [])
    assert "rocmimg build rocm720-gfx950" in row["reason"]


def test_nothing_runs_on_when_the_command_is_ended(lab, host_engine, tmp_path):
    checks = tmp_path / "checks"
    checks.mkdir()
    (checks / "check_slow.py").write_text(
        "def check_slow(image):\n    image.container.exec(['sleep', '300'], timeout=300)\n"
    )
    command = [
        sys.executable,
        "-m",
        "rocmimg",
        "test",
        "lab-gfx942",
        "--tier",
        "import",
        "--set",
        f"checks.folder={checks}",
        "--file",
        "examples/lab/images.yaml",
    ]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        assert _eventually(lambda: _sleepers() == 1)
        process.send_signal(signal.SIGTERM)
        process.wait(60)
    finally:
        process.kill()
    assert process.returncode == 128 + signal.SIGTERM
    assert _eventually(lambda: _sleepers() == 0)


def _sleepers():
    found = 0
    for entry in Path("/proc").iterdir():
        try:
            found += entry.name.isdigit() and (entry / "cmdline").read_bytes() == b"sleep\x00300\x00"
        except OSError:
            continue
    return found


def _eventually(condition):
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.2)
    return False
