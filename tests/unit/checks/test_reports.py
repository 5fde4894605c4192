"""JUnit, HTML and the terminal: a missing proof never looks like a passed one."""

import xml.etree.ElementTree as ET

from test_judging import check, image

from rocmimg.checks.model import Finding
from rocmimg.checks.plugin import evaluate
from rocmimg.report.checks import print_results
from rocmimg.report.junit import write_junit

WRONG = [Finding(what=what, cause="no --offload-arch", fix="pass it") for what in ("<b>wrong</b> & bad", "wrong too")]
FAILED = evaluate(check("passed", "arch-code", "image"), None, [*WRONG, Finding(what="by the way", level="note")], ())
MISSING = check("not-run", "gpu-gemm", "gpu", reason="no AMD GPU")
RESULTS = [
    image(check("passed"), FAILED, MISSING, check("waived", "size", "image", reason="known (until 2099-01-01): 75 GB")),
    image(id="t-gfx950", image_id="", reason="there is no image: run `rocmimg build t-gfx950`"),
]


def test_junit_tells_apart_what_failed_and_what_was_not_run(tmp_path):
    write_junit(RESULTS, tmp_path / "j.xml")
    cases = {case.get("name"): case for case in ET.parse(tmp_path / "j.xml").iter("testcase")}  # noqa: S314
    assert cases["arch-code"].find("failure").get("message") == "<b>wrong</b> & bad (and 1 more)"
    assert cases["gpu-gemm"].find("skipped").get("message") == "not run: no AMD GPU"
    assert cases["size"].find("skipped").get("message").startswith("waived: known")
    assert list(cases["origin"]) == []
    assert "no image" in cases["image"].find("error").get("message")
    suite = ET.parse(tmp_path / "j.xml").find("testsuite")  # noqa: S314
    assert (suite.get("tests"), suite.get("failures"), suite.get("skipped")) == ("4", "1", "2")


def test_a_gpu_that_is_required_makes_it_a_failure(tmp_path):
    write_junit(RESULTS, tmp_path / "j.xml", require_gpu=True)
    cases = {case.get("name"): case for case in ET.parse(tmp_path / "j.xml").iter("testcase")}  # noqa: S314
    assert cases["gpu-gemm"].find("failure") is not None
    assert cases["gpu-gemm"].find("skipped") is None


def test_the_table_ends_with_what_was_not_proven(capsys):
    print_results(RESULTS)
    out = capsys.readouterr().out
    assert out.count("cause: no --offload-arch") == 1
    assert "what:  wrong too" in out
    assert "note, arch-code: by the way" in out
    assert "fix:   pass it" in out
    assert "1 not run" in out
    assert out.rindex("gpu-gemm: no AMD GPU (t-gfx942)") > out.index("Not proven")
    assert "run `rocmimg build t-gfx950`" in out


def test_archs_that_no_gpu_of_theirs_has_run_are_not_proven(capsys, tmp_path):
    on = {"tier": "gpu", "device": "gfx942 MI300X", "archs": ("gfx942",)}
    results = [image(check("passed", "gpu-gemm", **on), archs=("gfx942", "gfx950"))]
    print_results(results)
    assert "gpu on gfx950: only gfx942 MI300X ran the kernels" in capsys.readouterr().out
    write_junit(results, tmp_path / "j.xml")
    told = {one.get("name"): one.get("value") for one in ET.parse(tmp_path / "j.xml").iter("property")}  # noqa: S314
    assert (told["gpu gfx942"], told["gpu gfx950"]) == ("gfx942 MI300X", "not proven")
