"""`rocmimg test IMAGE`: images that no images.yaml describes, in a folder without one."""

import json
import os
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from rocmimg.engine import BuildRequest
from rocmimg.engine.reach import closure


@pytest.fixture(scope="module")
def alone(host_engine, lab_tag):
    """An image with one static program and nothing else, as Go and Rust make them."""
    tag = "rocmimg-checks/alone:1"
    text = f"""\
FROM {lab_tag} AS build
RUN echo 'void _start(void) {{ for (;;); }}' > /a.c && \
    $(ls /usr/bin/clang-[0-9]* | head -n 1) -static -nostdlib -o /serve /a.c
FROM scratch
COPY --from=build /serve /serve
ENTRYPOINT ["/serve"]
"""
    host_engine.build(BuildRequest(dockerfile=text, tags=(tag,)), lambda _: None)
    yield tag
    host_engine.remove(tag, force=True)


def rocmimg(folder: Path, *args: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "rocmimg", *args],
        cwd=folder, env=os.environ | {"ROCMIMG_CACHE": str(folder / "cache")}, capture_output=True, text=True,
        timeout=500, check=False,
    )  # fmt: skip


@pytest.fixture
def run(tmp_path):
    """`rocmimg test ARGS` where there is no images.yaml; exit code, objects of --json by image, standard error."""

    def given(*args: str):
        done = rocmimg(tmp_path, "test", *args, "--json")
        assert done.stdout, done.stderr
        return done.returncode, {row["id"]: row for row in json.loads(done.stdout)}, done.stderr

    return given


def status(row):
    return {check["id"]: check["status"] for check in row["checks"]}


def test_an_image_like_any_other(run, lab_tag):
    code, rows, told = run(lab_tag, "--tier", "image", "--tier", "import", "--arch", "gfx942", "--progress", "plain")
    assert code == 0
    row = rows[lab_tag]
    assert row["status"] == "passed"
    assert (row["archs"], row["suite_version"] != "", row["checks"][0]["seconds"] >= 0) == (["gfx942"], True, True)
    found = status(row)
    assert {found["labels"], found["prebuilt"], found["pins"], found["contract"]} == {"not-applicable"}
    assert next(one for one in row["checks"] if one["id"] == "labels")["reason"].startswith("no plan")
    assert {found["arch-code"], found["starts"], found["requirements"]} == {"passed"}
    assert f"{lab_tag}: reading the image" in told


def test_asked_for_a_gpu_that_it_has_no_code_for(run, lab_tag):
    code, rows, _ = run(lab_tag, "--tier", "image", "--arch", "gfx1201")
    assert code == 9
    (failure,) = [one for one in rows[lab_tag]["checks"] if one["status"] == "failed"]
    assert failure["id"] == "arch-code"
    assert failure["reason"] == "there is no GPU code for gfx1201 anywhere in the image; it has gfx942"


def test_without_an_arch_its_own_code_says_what_it_is_for(run, lab_tag):
    _, rows, _ = run(lab_tag, "--tier", "image")
    assert rows[lab_tag]["archs"] == ["gfx942"]


def test_images_without_python_and_without_a_shell(run, alone, small_base):
    code, rows, _ = run(alone, small_base)
    assert code == 0
    for row in rows.values():
        found = status(row)
        assert row["status"] == "passed"
        assert found["starts"] == ("passed" if row["id"] == alone else "not-applicable")
        assert {found["interpreter"], found["import"], found["aot-hip-rmsnorm"], found["gpu-torch-softmax"]} == {
            "not-applicable"
        }
    code, rows, _ = run(alone, "--tier", "image", "--arch", "gfx942")
    assert (code, status(rows[alone])["arch-code"]) == (9, "failed")


def test_several_images_make_a_table_and_the_reports(tmp_path, lab_tag, small_base):
    images = (lab_tag, small_base, "nowhere.invalid/none:1")
    done = rocmimg(tmp_path, "test", *images, "--tier", "image", "--junit", "j.xml", "--html", "p.html")
    assert done.returncode == 10
    rows = [line.split()[0] for line in done.stdout.splitlines()[1:4]]
    assert rows == list(images)
    assert "cannot pull nowhere.invalid/none:1" in done.stdout
    suites = [suite.get("name") for suite in ET.parse(tmp_path / "j.xml").iter("testsuite")]  # noqa: S314
    assert suites == list(images)
    assert lab_tag in (tmp_path / "p.html").read_text()


def test_kernels_of_any_image_can_be_exported(run, lab_tag, tmp_path):
    code, _, _ = run(lab_tag, "--tier", "aot", "--arch", "gfx942", "--export-kernels", str(tmp_path / "packs"))
    assert code == 0
    assert list((tmp_path / "packs").glob("*/manifest.json"))


def test_a_name_that_only_the_engine_knows(run_rocmimg, host_engine, lab_tag):
    host_engine.tag(lab_tag, "rocmimg-checks-plain")
    try:
        done = run_rocmimg("test", "rocmimg-checks-plain", "--tier", "image", "--json")
    finally:
        host_engine.remove("rocmimg-checks-plain")
    assert [row["id"] for row in json.loads(done.stdout)] == ["rocmimg-checks-plain"]
    wrong = run_rocmimg("test", "lab-gfx924", "--tier", "image")
    assert wrong.returncode != 0
    assert "lab-gfx942" in wrong.stderr


@pytest.mark.parametrize("tool", ["env"])
def test_an_entry_point_whose_libraries_stayed_behind(run, host_engine, tool):
    program = Path(shutil.which(tool) or "")
    files = [
        file for file in closure(program) if file.path == f"root{program.resolve()}" or file.path == f"root{program}"
    ]
    tag = "rocmimg-checks/bare:1"
    text = f'FROM scratch\nCOPY root /\nENTRYPOINT ["{program}"]\n'
    host_engine.build(BuildRequest(dockerfile=text, context=tuple(files), tags=(tag,)), lambda _: None)
    try:
        code, rows, _ = run(tag, "--tier", "image")
    finally:
        host_engine.remove(tag, force=True)
    assert code == 9
    failure = next(one for one in rows[tag]["checks"] if one["id"] == "starts")
    assert failure["status"] == "failed"
