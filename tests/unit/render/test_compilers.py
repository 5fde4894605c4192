"""The program that puts a compiler cache in front of the compilers, in a real shell, with compilers that only tell."""

import subprocess
from pathlib import Path

import pytest

PROGRAM = Path(__file__).parents[3] / "templates/files/compilers.sh"
CACHE = """#!/bin/sh
case $1 in -*) echo "asked $1"; exit ;; esac
echo "cached ${1##*/}" >> "$TOLD"
printf '# %s\\ncache_miss\\nlocal_storage_miss\\n' "$2" >> "$CCACHE_STATSLOG"
exec "$@"
"""
TELLS = '#!/bin/sh\necho "$0 $*" >> "$TOLD"\n'
HIPCC = '#!/bin/sh\nexec "${HIP_CLANG_PATH:-ROCM/llvm/bin}/clang++" -x hip "$@"\n'


@pytest.fixture
def machine(tmp_path):
    """Compilers in folders as an image has them, and what a command under the cache has started."""
    rocm = tmp_path / "rocm"
    files = {
        "bin/ccache": CACHE,
        "bin/gcc": TELLS,
        "bin/c++": TELLS,
        "bin/x86_64-linux-gnu-gcc": TELLS,
        "rocm/llvm/bin/clang++": TELLS,
        "rocm/llvm/bin/llvm-ar": TELLS,
        "rocm/bin/hipcc": HIPCC.replace("ROCM", str(rocm)),
        "own/bin/clang++": TELLS,
    }
    for name, text in files.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(0o755)

    def run(command, tool="ccache", more="", **env):
        told = tmp_path / "told"
        told.unlink(missing_ok=True)
        (tmp_path / "run").mkdir(exist_ok=True)
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", f". {PROGRAM} {tool} 5G {more} && {command}"],
            env={
                "PATH": f"{tmp_path}/bin:/usr/bin:/bin",
                "ROCM_PATH": str(rocm),
                "ROCMIMG_RUN": str(tmp_path / "run"),
                "TOLD": str(told),
                **env,
            },
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        lines = told.read_text().replace(f"{tmp_path}/", "").splitlines() if told.exists() else []
        subprocess.run(["rm", "-rf", tmp_path / "run"], check=True)
        return done, lines

    return run


@pytest.mark.parametrize(
    ("command", "told"),
    [
        ("gcc -c a.c", ["cached gcc", "bin/gcc -c a.c"]),
        ("x86_64-linux-gnu-gcc -c a.c", ["cached x86_64-linux-gnu-gcc", "bin/x86_64-linux-gnu-gcc -c a.c"]),
        ("$ROCM_PATH/bin/hipcc -c a.hip", None),
        ("$CMAKE_HIP_COMPILER_LAUNCHER $ROCM_PATH/llvm/bin/clang++ -x hip -c a.hip", None),
        ("$HIP_CLANG_PATH/clang++ -x hip -c a.hip", None),
        ("$CMAKE_HIP_COMPILER_LAUNCHER $ROCM_PATH/bin/hipcc -c a.hip", None),
        ("$CMAKE_CXX_COMPILER_LAUNCHER $(command -v c++) -c a.cc", ["cached c++", "bin/c++ -c a.cc"]),
        ("ccache gcc -c a.c", ["cached gcc", "bin/gcc -c a.c"]),
        ("$HIP_CLANG_PATH/llvm-ar q a.a", ["run/compilers/llvm/llvm-ar q a.a"]),
    ],
)
def test_each_way_to_a_compiler_leads_through_the_cache_once(command, told, machine):
    done, lines = machine(command)
    assert done.returncode == 0, done.stderr
    assert lines == (told or ["cached clang++", "rocm/llvm/bin/clang++ -x hip -c a.hip"])
    count = sum(line.startswith("cached") for line in lines)
    assert done.stdout.splitlines()[-1] == f"rocmimg-cache: ccache 0 hits, {count} misses, 0 not cacheable"


def test_a_compiler_of_ones_own_is_the_one_behind_the_wrapper(machine, tmp_path):
    _, lines = machine("$ROCM_PATH/bin/hipcc -c a.hip", HIP_CLANG_PATH=f"{tmp_path}/own/bin")
    assert lines == ["cached clang++", "own/bin/clang++ -x hip -c a.hip"]


def test_the_cache_itself_can_be_asked(machine):
    assert "asked --version" in machine("ccache --version")[0].stdout


def test_without_the_cache_compilers_are_as_they_are(machine):
    done, lines = machine("gcc -c a.c", tool="sccache")
    assert lines == ["bin/gcc -c a.c"]
    assert done.stdout.splitlines()[-1] == "rocmimg-cache: no sccache here"


def test_a_failed_step_fails_and_says_what_the_cache_did(machine):
    done, _ = machine("gcc -c a.c && false")
    assert done.returncode == 1
    assert "ccache 0 hits, 1 misses" in done.stdout


def test_what_the_step_does_at_its_end_is_still_done(machine, tmp_path):
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", f"trap 'echo \"it'\\''s over\"' EXIT; . {PROGRAM} ccache 5G"],
        env={"PATH": f"{tmp_path}/bin:/usr/bin:/bin", "ROCMIMG_RUN": str(tmp_path / "run"), "TOLD": "/dev/null"},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (done.returncode, done.stdout.splitlines()[-1]) == (0, "it's over")


def test_another_compiler_is_another_one_for_the_cache(machine, tmp_path):
    def fingerprint():
        return machine("echo $CCACHE_COMPILERCHECK")[0].stdout.splitlines()[0]

    before = fingerprint()
    assert before.startswith("string:")
    assert fingerprint() == before
    (tmp_path / "rocm/llvm/bin/clang++").write_text(TELLS + "# newer\n")
    assert fingerprint() != before
    library = tmp_path / "rocm/amdgcn/bitcode/ocml.bc"
    library.parent.mkdir(parents=True)
    changed = fingerprint()
    library.write_text("bitcode")
    assert fingerprint() != changed


SCCACHE = """#!/bin/sh
case $1 in
    --start-server)
        echo "start ${SCCACHE_REDIS_ENDPOINT:-} ${SCCACHE_REDIS_KEY_PREFIX:-}" >> "$TOLD"
        exit "${FAILS:-0}"
        ;;
    -*) exit ;;
esac
echo "cached ${1##*/} $SCCACHE_DIR ${SCCACHE_REDIS_ENDPOINT:-} ${AWS_SECRET_ACCESS_KEY:-}" >> "$TOLD"
exec "$@"
"""


def with_store(tmp_path, *lines):
    (tmp_path / "bin/sccache").write_text(SCCACHE)
    (tmp_path / "bin/sccache").chmod(0o755)
    (tmp_path / "run").mkdir()
    (tmp_path / "run/store").write_text("".join(f"export {line}\n" for line in lines))


def test_sccache_is_told_of_the_store_and_keys_are_apart(machine, tmp_path):
    with_store(tmp_path, "SCCACHE_REDIS_ENDPOINT='redis://:hunter2@h'", "SCCACHE_REDIS_KEY_PREFIX=team")
    done, lines = machine("gcc -c a.c", tool="sccache", more="rocmimg.pr.sccache")
    assert lines == [
        "start redis://:hunter2@h team/rocmimg.pr.sccache",
        "cached gcc run/sccache redis://:hunter2@h ",
        "bin/gcc -c a.c",
    ]
    assert done.returncode == 0
    assert "hunter2" not in done.stdout + done.stderr


def test_a_store_that_does_not_answer_costs_time_only(machine, tmp_path):
    with_store(tmp_path, "SCCACHE_REDIS_ENDPOINT=h", "AWS_SECRET_ACCESS_KEY=hunter2")
    done, lines = machine("gcc -c a.c", tool="sccache", more="p", FAILS="2")
    assert lines[1:] == ["cached gcc run/sccache  ", "bin/gcc -c a.c"]
    assert "does not answer" in done.stdout
    assert done.returncode == 0


def test_without_a_store_sccache_has_its_folder_alone(machine, tmp_path):
    with_store(tmp_path)
    assert machine("gcc -c a.c", tool="sccache")[1] == ["cached gcc run/sccache  ", "bin/gcc -c a.c"]
