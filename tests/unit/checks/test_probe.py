"""The probe as a whole, on this machine's own interpreter, and its promise about old ones."""

import ast
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

import rocmimg.checks.probe
from rocmimg.checks.probe import __main__ as main
from rocmimg.checks.probe import children
from rocmimg.checks.probe.files import Walk
from rocmimg.checks.probe.tree import Live
from rocmimg.checks.run_probe import _run, answer_of, command
from rocmimg.engine.types import ExecResult

SOURCES = sorted(Path(rocmimg.checks.probe.__file__).parent.glob("*.py"))
FRESH = (SOURCES[0].parent / "fresh.py").read_text()


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.name)
def test_it_is_python_of_3_8_and_imports_the_standard_library_alone(path):
    tree = ast.parse(path.read_text(), feature_version=(3, 8))
    imported = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    imported |= {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and not node.level}
    assert {name.partition(".")[0] for name in imported} <= sys.stdlib_module_names


def other_python(*versions):
    """A Python of one of ``versions`` where this machine has one, by name or from pyenv."""
    names = [shutil.which(f"python{version}") for version in versions]
    pyenv = Path.home() / ".pyenv" / "versions"
    names += [str(path) for version in versions for path in pyenv.glob(f"{version}.*/bin/python{version}")]
    works = (n for n in names if n and not subprocess.run([n, "-V"], capture_output=True, check=False).returncode)
    return next(works, None)


def interpreters() -> list[str]:
    """This one, and the oldest that an image may have where this machine has it."""
    old = other_python("3.8")
    return [sys.executable, *([old] if old else [])]


JOB = {
    "argv": [], "user": "root", "interpreter": "", "modules": [], "requires": {}, "packages": {}, "checkouts": {},
    "import_limit": 60, "libraries": [], "python": True, "files": False, "only_files": False,
}  # fmt: skip


def ask(interpreter, work, **wanted):
    """The answer of the probe, started as in an image; the walk over this machine's own files is left out."""
    argv = command(interpreter, "mark", {**JOB, "interpreter": interpreter, "workdir": str(work), **wanted})
    # What this machine's user has in a login shell is asked for too, and may take seconds.
    env = {**os.environ, "PATH": f"{Path(interpreter).parent}:/usr/bin:/bin", "HOME": str(work)}
    done = subprocess.run(argv, cwd=work, capture_output=True, check=True, stdin=subprocess.DEVNULL, env=env)
    return answer_of(done.stdout, "mark")


@pytest.fixture(params=interpreters())
def probed(tmp_path, request):
    """What the probe says of a folder that holds two packages and a namespace trap."""
    work = tmp_path / "work"
    (work / "trap" / "trap").mkdir(parents=True)
    (work / "good").mkdir()
    (work / "good" / "__init__.py").write_text("class inner: deep = 1\nprint('loud')\n")
    (work / "bad").mkdir()
    (work / "bad" / "__init__.py").write_text("raise RuntimeError('no HIP GPUs are available')\n")
    wanted = {"modules": ["good", "bad", "trap", "nothing"], "requires": {"good": ["good.inner.deep", "good.inner.no"]}}
    return ask(request.param, work, **wanted)


def test_one_run_tells_specs_imports_and_names(probed):
    here, root = [one["modules"] for one in probed["origins"] if one["own_env"]]
    assert here["good"]["origin"].endswith("good/__init__.py")
    assert here["trap"] == {"origin": None, "locations": [here["trap"]["locations"][0]], "error": ""}
    assert here["nothing"]["locations"] == []
    assert root["good"]["origin"] is None
    assert probed["imports"]["good"]["missing"] == ["good.inner.no"]
    assert probed["imports"]["bad"]["error"] == "RuntimeError: no HIP GPUs are available"
    assert probed["imports"]["nothing"]["error"].startswith("ModuleNotFoundError")
    assert not [name for name, found in probed.items() if isinstance(found, dict) and "error" in found.keys() - {""}
                and found["error"]]  # fmt: skip


def venv(folder):
    """A Python of its own, with a folder for its start-up files."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
    return folder / "bin" / "python", next(folder.glob("lib/python3*/site-packages"))


@pytest.fixture(scope="module")
def own_python(tmp_path_factory):
    return venv(tmp_path_factory.mktemp("venv"))


START_FILES = {
    "prints": ("import sys; print('hello')", "it writes to standard output: 'hello\\n"),
    "exits": ("import os; os._exit(0)", "it ends with exit code 0 before it runs anything"),
    "fails": ("import os; os._exit(3)", "the interpreter ended with exit code 3"),
    "floods": ("import sys; exec('while 1: sys.stdout.write(\"x\" * 99999)')", "writes without end: ended after 1 MiB"),
    "answers": ("import os; os.write(1, b'\\nmark 2\\n{}')", "it writes to standard output: '\\nmark 2\\n{}"),
}


@pytest.mark.parametrize(("line", "error"), START_FILES.values(), ids=START_FILES)
def test_a_start_up_file_upsets_nothing_and_is_told(own_python, tmp_path, line, error):
    python, site = own_python
    (site / "bad.pth").write_text(line + "\n")
    try:
        found = ask(str(python), tmp_path, modules=["json"])
    finally:
        (site / "bad.pth").unlink()
    assert found["startup"]["error"].startswith(error)
    assert found["startup"]["start_files"] == [{"path": str(site / "bad.pth"), "lines": [line]}]
    assert str(site) in found["interpreter"]["site"]
    assert found["surroundings"]["uid"] == os.getuid()
    works = "standard output" in error
    assert found["imports"]["json"]["error"] == ("" if works else f"{python} does not start: {error}")


def test_a_start_up_file_that_sleeps_costs_the_limit_once(own_python, tmp_path, monkeypatch):
    python, site = own_python
    monkeypatch.setattr(main, "_START_LIMIT_S", 0.3)
    probe = main.Probe({**JOB, "interpreter": str(python), "workdir": str(tmp_path), "modules": ["json"]}, FRESH)
    (site / "bad.pth").write_text("import time; time.sleep(600)\n")
    try:
        found = probe.run()
    finally:
        (site / "bad.pth").unlink()
    assert found["startup"]["error"] == "hangs: ended after 0 s"
    assert "hangs" in found["imports"]["json"]["error"]


def test_a_file_with_the_name_of_a_module_of_python_is_told(tmp_path):
    (tmp_path / "json.py").write_text("raise SystemExit('not json')\n")
    (tmp_path / "own.py").write_text("")
    found = ask(sys.executable, tmp_path, modules=["own"])
    assert {"module": "json", "path": f"{tmp_path}/json.py"} in found["startup"]["shadowed"]
    assert not found["startup"]["error"]
    assert found["imports"]["own"]["error"] == ""


def test_what_a_python_too_old_says():
    old = other_python("3.6", "2.7")
    if not old:
        pytest.skip("no old Python here")
    done = subprocess.run(command(old, "mark", JOB), capture_output=True, check=False)
    assert done.returncode == 86
    assert done.stderr.decode().startswith(("3.6", "2.7"))


@pytest.mark.parametrize(
    ("result", "kind", "words"),
    [
        ({"exit_code": 86, "stderr": b"3.6.15"}, "old-python", "p is Python 3.6.15; 3.8 or later is needed"),
        (
            {"exit_code": 127, "stderr": b'exec: "p": executable file not found in $PATH'},
            "no-python",
            "not in the image",
        ),
        ({"exit_code": 1, "stderr": b"no encodings"}, "broken-python", "p ended with exit code 1: no encodings"),
        ({"exit_code": 137, "timed_out": True}, "broken-python", "p hangs: ended after"),
        ({"exit_code": 137, "flooded": True}, "broken-python", "p writes without end: ended after 256 MiB"),
        ({"exit_code": 0, "stdout": b"\nmark 99\n{}"}, "broken-python", "p ended with exit code 0"),
    ],
)
def test_why_a_probe_gave_no_answer(result, kind, words):
    defaults = {"stdout": b"", "stderr": b"", "timed_out": False, "seconds": 1.0}
    asked = []

    def execute(argv, **options):
        asked.append((argv[:5], options["timeout"], options["output_limit"]))
        return ExecResult(**{**defaults, **result})

    answer, (found, said) = _run(SimpleNamespace(id="c" * 64, exec=execute), "p", JOB)
    assert answer is None
    assert asked == [(["p", "-I", "-S", "-c", asked[0][0][4]], 1200, 256 << 20)]
    assert found == kind
    assert words in said


def test_a_job_of_any_size_goes_through_the_command_line(tmp_path):
    libraries = [f"/opt/{os.urandom(64).hex()}.so" for _ in range(3000)]
    argv = command(sys.executable, "mark", {**JOB, "libraries": libraries})
    assert max(map(len, argv)) < 128 << 10
    assert len(argv) > 8
    assert ask(sys.executable, tmp_path, libraries=libraries, python=False)["probe"]["format"] == 2


def test_the_walk_sees_leftovers_locks_and_owners(tmp_path):
    for name in ("root/.cache/pip/a", "w/aiter/jit/lock_a", "w/aiter/x.lock", "site/torch/lib/b.so", "w/aiter/.git/p"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"12345")
    (tmp_path / "w/aiter/jit/lock_utils.py").write_text("a module")
    walk = Walk(Live(str(tmp_path)), {"checkouts": {"aiter": "/w/aiter"}, "site": ["/site"]})
    found = walk.result()
    assert [(one["kind"], one["bytes"]) for one in found["leftovers"]] == [("git history", 5), ("pip cache", 5)]
    assert found["locks"] == ["/w/aiter/jit/lock_a"]
    assert (found["bytes"], found["count"]) == (33, 6)
    assert walk.owner("/w/aiter/a.so") == "aiter"
    assert walk.owner("/site/torch/lib/b.so") == "torch"
    assert walk.owner("/opt/rocm-7.2/lib/a.so") == "opt/rocm-7.2"
    assert walk.owner("/usr/lib/a.so") == "system"


def test_an_import_that_hangs_is_ended_with_all_its_processes(tmp_path):
    (tmp_path / "slow.py").write_text(
        "import os, subprocess, pathlib\n"
        "pathlib.Path('pid').write_text(str(subprocess.Popen(['sleep', '600']).pid))\n"
        "os.waitpid(-1, 0)\n"
    )
    job = {**JOB, "interpreter": sys.executable, "workdir": str(tmp_path), "modules": ["slow"], "import_limit": 2}
    found = main.Probe(job, FRESH).run()
    assert found["imports"]["slow"]["error"] == "hangs: ended after 2 s"
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


def test_what_a_child_writes_right_before_its_end_is_read_on_a_busy_machine(monkeypatch):
    """Between a look at the pipes that finds nothing and the question whether the child has ended, time may pass."""

    class Busy(children.selectors.DefaultSelector):
        first = True

        def select(self, timeout=None):
            found = super().select(timeout)
            if Busy.first and not found:
                Busy.first = False
                time.sleep(1)
            return found

    monkeypatch.setattr(children.selectors, "DefaultSelector", Busy)
    script = "import os, sys, time; time.sleep(0.5); os.write(int(sys.argv[1]), b'answer')"
    ended = children.run([sys.executable, "-S", "-c", script], 60)
    assert (ended.code, ended.answer, ended.why) == (0, b"answer", "")
