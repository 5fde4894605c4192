"""The probe as a whole, on this machine's own interpreter, and its promise about old ones."""

import ast
import json
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

import rocmimg.checks.probe
from rocmimg.checks.probe.__main__ import Probe
from rocmimg.checks.probe.files import Walk
from rocmimg.checks.run_probe import archive

SOURCES = sorted(Path(rocmimg.checks.probe.__file__).parent.glob("*.py"))


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.name)
def test_it_is_python_of_3_8_and_imports_the_standard_library_alone(path):
    tree = ast.parse(path.read_text(), feature_version=(3, 8))
    imported = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    imported |= {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and not node.level}
    assert {name.partition(".")[0] for name in imported} <= sys.stdlib_module_names


def interpreters() -> list[str]:
    """This one, and the oldest that an image may have where this machine has it."""
    old = shutil.which("python3.8")
    runs = old and subprocess.run([old, "--version"], capture_output=True, check=False).returncode == 0
    return [sys.executable, *([old] if runs else [])]


@pytest.fixture(params=interpreters())
def probed(tmp_path, request):
    """Run the archive on a folder that holds two packages and a namespace trap; its answer."""
    work = tmp_path / "work"
    (work / "trap" / "trap").mkdir(parents=True)
    (work / "good").mkdir()
    (work / "good" / "__init__.py").write_text("class inner: deep = 1\n")
    (work / "bad").mkdir()
    (work / "bad" / "__init__.py").write_text("raise RuntimeError('no HIP GPUs are available')\n")
    (tmp_path / "probe.pyz").write_bytes(archive())
    job = {
        "workdir": str(work), "modules": ["good", "bad", "trap", "nothing"], "packages": {}, "checkouts": {},
        "requires": {"good": ["good.inner.deep", "good.inner.missing"]},
        "import_limit": 60, "python": True, "only_files": False,
    }  # fmt: skip
    (tmp_path / "job.json").write_text(json.dumps(job))
    # The walk over this machine's own files is long: another root is as good.
    code = (
        "import sys, pkgutil; sys.path.insert(0, sys.argv.pop(1)); import probe.files as f, probe.__main__ as m;"
        f"walk = f.Walk; f.Walk = lambda options: walk(options, {str(tmp_path)!r});"
        "m.main(pkgutil.get_data('probe', 'fresh.py').decode())"
    )
    command = [request.param, "-c", code, str(tmp_path / "probe.pyz"), str(tmp_path / "job.json")]
    done = subprocess.run(command, cwd=work, capture_output=True, text=True, check=True, stdin=subprocess.DEVNULL)
    return json.loads(done.stdout)


def test_one_run_tells_specs_imports_and_names(probed):
    here, root = [one["modules"] for one in probed["origins"] if one["own_env"]]
    assert here["good"]["origin"].endswith("good/__init__.py")
    assert here["trap"] == {"origin": None, "locations": [here["trap"]["locations"][0]], "error": ""}
    assert here["nothing"]["locations"] == []
    assert root["good"]["origin"] is None
    assert probed["imports"]["good"]["missing"] == ["good.inner.missing"]
    assert probed["imports"]["bad"]["error"] == "RuntimeError: no HIP GPUs are available"
    assert probed["imports"]["nothing"]["error"].startswith("ModuleNotFoundError")
    assert not [name for name, found in probed.items() if isinstance(found, dict) and "error" in found]


def test_the_walk_sees_leftovers_locks_and_owners(tmp_path):
    for name in ("root/.cache/pip/a", "w/aiter/jit/lock_a", "w/aiter/x.lock", "site/torch/lib/b.so", "w/aiter/.git/p"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"12345")
    options = {"checkouts": {"aiter": str(tmp_path / "w/aiter")}, "site": [str(tmp_path / "site")]}
    walk = Walk(options, str(tmp_path))
    found = walk.result()
    assert [(one["kind"], one["bytes"]) for one in found["leftovers"]] == [("git history", 5), ("pip cache", 5)]
    assert found["locks"] == [str(tmp_path / "w/aiter/jit/lock_a")]
    assert (found["bytes"], found["count"]) == (25, 5)
    assert walk.owner(str(tmp_path / "w/aiter/a.so")) == "aiter"
    assert walk.owner(str(tmp_path / "site/torch/lib/b.so")) == "torch"
    assert walk.owner("/opt/rocm-7.2/lib/a.so") == "opt/rocm-7.2"
    assert walk.owner("/usr/lib/a.so") == "system"


def test_an_import_that_hangs_is_ended_with_all_its_processes(tmp_path):
    (tmp_path / "slow.py").write_text(
        "import os, subprocess, pathlib\n"
        "pathlib.Path('pid').write_text(str(subprocess.Popen(['sleep', '600']).pid))\n"
        "os.waitpid(-1, 0)\n"
    )
    job = {"python": True, "only_files": False, "workdir": str(tmp_path), "modules": ["slow"], "requires": {},
           "checkouts": {}, "packages": {}, "import_limit": 2}  # fmt: skip
    source = (SOURCES[0].parent / "fresh.py").read_text()
    found = Probe(job, source)
    found.answer |= {"files": {}, "interpreter": {}}
    found._imports()
    assert found.answer["imports"]["slow"]["error"] == "hangs: ended after 2 s"
    assert _ended(int((tmp_path / "pid").read_text()))


def _ended(pid):
    """Whether a process is gone, or only waits for its new parent to notice."""
    for _ in range(100):
        try:
            if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z":
                return True
        except FileNotFoundError:
            return True
        time.sleep(0.1)
    return False
