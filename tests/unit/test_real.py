"""The harness of `make real`, as far as it needs no engine: a case from a mirror, and what its log says."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from rocmimg.engine import BuildCancelled
from rocmimg.engine.events import StepLog
from rocmimg.engine.failure import StepFailed
from rocmimg.matrix import load

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def real():
    sys.path.insert(0, str(ROOT / "tests/real"))
    try:
        import run

        yield run
    finally:
        sys.path.remove(str(ROOT / "tests/real"))


@pytest.fixture(scope="module")
def matrix():
    return load(ROOT / "images.yaml")


class FailingEngine:
    """Every build prints these lines and fails."""

    def __init__(self, *lines, cancelled=False):
        self.lines = lines
        self.cancelled = cancelled

    def build(self, _request, on_event):
        for line in self.lines:
            on_event(StepLog(digest="sha256:a", stream=1, text=line, timestamp=0))
        if self.cancelled:
            raise BuildCancelled
        raise StepFailed("exit code: 1", step="[x 1/1] RUN x", log=self.lines)

    def cancel(self, _build):
        raise AssertionError("no build takes a minute here")


def test_every_component_of_production_is_a_case_and_every_setting_is_for_one(real, matrix):
    names = {case.component.name for case in real.cases(matrix)}
    assert {"aiter", "fast-hadamard-transform", "mori", "mooncake", "nixl", "sglang", "ucx", "vllm"} <= names
    assert set(yaml.safe_load((ROOT / "tests/real/cases.yaml").read_text())) <= names


def test_a_component_that_a_flag_leaves_off_is_a_case_with_its_flag(real, matrix):
    (case,) = [case for case in real.cases(matrix) if case.component.name == "lmcache"]
    assert case.sets == ("flags.INSTALL_LMCACHE=true",)
    assert {case.sets for case in real.cases(matrix) if case.component.name == "ucx"} == {()}


@pytest.mark.parametrize(
    ("lines", "how_far"),
    [
        (["error: no such file"], "not possible"),
        (["running bdist_wheel", "error: x"], "metadata only"),
        (["-- Configuring done (1.0s)", "error: x"], "configured"),
        (["building 'a._C' extension", "error: x"], "configured"),
        (["REAL-COMPILES hipcc a.hip", "a.hip:1:2: error: x"], "configured"),
        (["REAL-COMPILES hipcc /tmp/CMakeFiles/CMakeScratch/TryCompile/a.cxx", "error: x"], "not possible"),
    ],
)
def test_a_log_says_how_far_a_component_came(real, matrix, tmp_path, lines, how_far):
    mirror = tmp_path / "mirrors/apache/tvm-ffi.git"
    mirror.mkdir(parents=True)

    def git(*words):
        subprocess.run(["git", "-c", "user.name=x", "-c", "user.email=x", *words], cwd=mirror, check=True, timeout=60)

    git("init", "--quiet")
    git("commit", "--quiet", "--allow-empty", "--message=x")
    (tmp_path / "prepared").mkdir()
    harness = real.Harness(
        FailingEngine(*lines), real.Mirrors(tmp_path / "mirrors", tmp_path / "prepared"), tmp_path / "out",
        tmp_path / "prepared", {}, 60,
    )  # fmt: skip
    case = next(case for case in real.cases(matrix) if case.component.name == "tvm-ffi")
    try:
        result = harness.run(case, [])
    finally:
        harness.close()
    assert (result.how_far, result.why) == (how_far, lines[-1])
    assert "for 37d0485b2058, which the mirror lacks" in result.notes[0]


@pytest.mark.parametrize(
    ("lines", "why"),
    [
        (
            ["a.h:1:2: fatal error: x.h: No such file", "b.h:3:4: error: y", "RuntimeError: Error compiling objects"],
            "a.h:1:2",
        ),
        (["ERROR: first", "ERROR: no match", "note: x"], "ERROR: no match"),
    ],
)
def test_a_compilers_first_error_is_the_reason(real, lines, why):
    assert real._reason([f"#7 1.50 {line}" for line in lines]).startswith(why)


@pytest.mark.parametrize(("line", "how_far"), [("checking for x", "not run"), ("running build_ext", "metadata only")])
def test_what_the_limit_stopped_did_not_fail(real, matrix, tmp_path, line, how_far):
    case = next(case for case in real.cases(matrix) if case.component.name == "ucx")
    (tmp_path / "openucx/ucx.git").mkdir(parents=True)
    for words in (["init", "--quiet"], ["commit", "--quiet", "--allow-empty", "--message=x"]):
        who = ["-c", "user.name=x", "-c", "user.email=x"]
        subprocess.run(["git", *who, *words], cwd=tmp_path / "openucx/ucx.git", check=True, timeout=60)
    (tmp_path / "prepared").mkdir()
    mirrors = real.Mirrors(tmp_path, tmp_path / "prepared")
    harness = real.Harness(
        FailingEngine(line, cancelled=True), mirrors, tmp_path / "out", tmp_path / "prepared", {}, 60
    )
    try:
        result = harness.run(case, [])
    finally:
        harness.close()
    assert (result.how_far, result.why) == (how_far, "stopped after 60 s")


def test_without_a_mirror_nothing_is_run(real, matrix, tmp_path):
    harness = real.Harness(FailingEngine(), real.Mirrors(tmp_path, tmp_path), tmp_path, tmp_path, {}, 60)
    case = next(case for case in real.cases(matrix) if case.component.name == "ucx")
    try:
        result = harness.run(case, [])
    finally:
        harness.close()
    assert (result.how_far, result.why) == ("not run", "no mirror of https://github.com/openucx/ucx.git")


def test_the_nearest_commit_is_one_of_the_main_branch(real, tmp_path):
    mirror = tmp_path / "mirrors/o/n.git"
    mirror.mkdir(parents=True)

    def git(*words, date):
        env = {"GIT_COMMITTER_DATE": date, "GIT_AUTHOR_DATE": date, "PATH": "/usr/bin:/bin"}
        who = ("-c", "user.name=x", "-c", "user.email=x", "-c", "init.defaultBranch=main")
        subprocess.run(["git", *who, *words], cwd=mirror, check=True, timeout=60, env=env)

    git("init", "--quiet", date="")
    for date in ("2026-01-01", "2026-03-01", "2026-02-01"):
        if date == "2026-02-01":
            git("checkout", "--quiet", "--orphan", "pages", date="")
        git("commit", "--quiet", "--allow-empty", "--message=x", date=f"{date}T00:00:00Z")
    git("checkout", "--quiet", "main", date="")
    mirrors = real.Mirrors(tmp_path / "mirrors", tmp_path / "out")
    said = {}
    for before in ("2026-02-15T00:00:00Z", "2026-04-01T00:00:00Z", "2025-01-01T00:00:00Z"):
        found = mirrors.prepare("https://github.com/o/n.git", before[:4] + before[5:7] + "0" * 34, before)
        said[before[:7]] = re.search(r"of (\S+) for", found.notes[0])[1]
    assert said == {"2026-02": "2026-01-01", "2026-04": "2026-03-01", "2025-01": "2026-03-01"}
