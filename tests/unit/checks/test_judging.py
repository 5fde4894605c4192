"""From what pytest saw to results: waivers, missing proofs, records that survive a file."""

import json
from dataclasses import replace
from datetime import date

import pytest

from rocmimg.checks.api import Failure, NotApplicable
from rocmimg.checks.model import CheckResult, Finding, ImageResult, Waiver, exit_code, result_from_json
from rocmimg.checks.plugin import evaluate, waived
from rocmimg.checks.run import store
from rocmimg.checks.suites import listed, own_folder
from rocmimg.errors import ConfigError, EngineError


def check(status, check_id="origin", tier="import", **more):
    return CheckResult(id=check_id, tier=tier, classes=("F09",), status=status, **more)


def image(*checks, **more):
    given = {"id": "t-gfx942", "target": "t", "gpu_arch": "gfx942", "image": "t:1", "image_id": "sha256:1",
             "digest": "sha256:2", "started": "2026-01-01T00:00:00+00:00", "seconds": 1.0, "engine": "docker 1",
             "device": ""}  # fmt: skip
    return ImageResult(**{**given, **more}, checks=checks)


def found(*paths, check_id="origin"):
    """A result that failed with one finding at each path."""
    findings = tuple(Finding(what=f"{path} is wrong", path=path, cause="c", fix="f") for path in paths)
    return evaluate(check("passed", check_id), None, findings, ())


def test_a_waiver_counts_to_the_end_of_its_day():
    known = (Waiver(check="origin", reason="sglang#1", until="2026-06-30"),)
    assert waived(found("/a"), known, date(2026, 6, 30)).status == "waived"
    late = waived(found("/a"), known, date(2026, 7, 1))
    assert (late.status, late.reason) == ("failed", "/a is wrong (its waiver ended on 2026-06-30)")
    assert waived(check("passed"), known, date(2026, 6, 30)).status == "passed"
    assert waived(found("/a", check_id="other"), known, date(2026, 6, 30)).status == "failed"


def test_a_waiver_with_a_path_does_not_hide_what_comes_later():
    known = (Waiver(check="origin", reason="bitsandbytes#1", until="2026-06-30", path="/site/bnb/*.so"),)
    day = date(2026, 6, 1)
    accepted = waived(found("/site/bnb/a.so", "/site/bnb/b.so"), known, day)
    assert (accepted.status, accepted.waivers) == ("waived", known)
    both = waived(found("/site/bnb/a.so", "/site/new/c.so"), known, day)
    assert (both.status, both.reason) == ("failed", "/site/new/c.so is wrong")
    assert [bool(one.waiver) for one in both.findings] == [True, False]


def test_everything_is_told_not_only_the_first():
    result = found("/a", "/b", "/c")
    assert result.reason == "/a is wrong (and 2 more)"
    assert [one.path for one in result.findings] == ["/a", "/b", "/c"]


@pytest.mark.parametrize(
    ("error", "findings", "unknown", "status"),
    [(None, (), (), "passed"), (None, ("failure",), (), "failed"), (None, ("note",), (), "passed"),
     (None, (), ("no reader",), "not-run"), (None, ("failure",), ("no reader",), "failed"),
     (Failure("w", "c", "f"), (), (), "failed"), (NotApplicable("none"), (), (), "not-applicable"),
     (NotApplicable("none"), ("failure",), (), "failed"), (NotApplicable("none"), (), ("no reader",), "not-run"),
     (AssertionError("x"), (), (), "failed"), (KeyError("x"), (), (), "failed")],
)  # fmt: skip
def test_what_a_check_noted_and_how_it_ended_make_its_status(error, findings, unknown, status):
    noted = [Finding(what="w", level=level) for level in findings]
    assert evaluate(check("passed"), error, noted, unknown).status == status


@pytest.mark.parametrize(
    ("checks", "status", "plain", "gpu"),
    [((check("passed"),), "passed", 0, 0), ((check("passed"), check("not-run", "gpu")), "not-run", 0, 10),
     ((check("failed"), check("not-run", "gpu")), "failed", 9, 9), ((check("not-run"),), "not-run", 0, 10),
     ((check("passed"), check("waived", "w"), check("not-applicable", "n")), "passed", 0, 0), ((), "not-run", 10, 10)],
)  # fmt: skip
def test_status_and_exit_code(checks, status, plain, gpu):
    result = image(*checks)
    assert result.status == status
    assert exit_code([result], require_gpu=False) == plain
    assert exit_code([result], require_gpu=True) == gpu


def test_an_image_that_the_engine_did_not_start_has_the_engines_code():
    refused = replace(image(), reason="cannot start a container", error_code=EngineError.exit_code)
    assert exit_code([image(check("passed")), refused, image()], require_gpu=False) == 5
    assert exit_code([image(check("failed")), refused], require_gpu=False) == 9
    assert result_from_json(refused.as_json()) == refused


def test_one_gpu_does_not_prove_the_other_archs():
    on = {"tier": "gpu", "device": "gfx942 MI300X", "archs": ("gfx942",)}
    result = image(check("passed"), check("passed", "gpu-gemm", **on), archs=("gfx942", "gfx950"))
    assert result.gpu_archs == {"gfx942": "gfx942 MI300X", "gfx950": ""}
    assert (result.unproven_archs, result.status) == (("gfx950",), "not-run")
    assert exit_code([result], require_gpu=True) == 10
    assert replace(result, archs=("gfx942",)).status == "passed"
    assert image(check("passed"), archs=("gfx942", "gfx950")).status == "passed"  # the tier was not asked for


def test_a_result_survives_its_file():
    result = image(
        waived(found("/a", "/b"), (Waiver(check="origin", reason="r", until="2999-01-01", path="/b"),), date.today()),
check("failed", "x", reason="r", cause="c", fix="d"), check("not-run", "gpu", reason="no AMD GPU"),
        archs=("gfx942",), waivers=(Waiver(check="origin", reason="r", until="2999-01-01"),),
    )  # fmt: skip
    stored = json.loads(json.dumps(result.as_json()))
    assert result_from_json(stored) == result
    assert stored["not_run"] == [{"id": "gpu", "reason": "no AMD GPU"}]
    assert stored["tiers"]["import"] == {"failed": 2, "not-run": 1}
    assert result_from_json({**stored, "of a later version": 1}) == result


def test_what_was_waived_is_not_what_failed():
    assert image(check("waived")).failures == ()
    assert replace(image(check("failed")), checks=()).failures == ()


def test_every_check_says_what_it_is():
    checks = listed()
    assert len({info.id for info in checks}) == len(checks) > 40
    assert all(info.title.endswith(".") for info in checks)
    assert [info.tier for info in checks] == sorted(
        (info.tier for info in checks), key=("image", "import", "aot", "gpu").index
    )


def test_a_projects_checks_are_listed_with_ours(tmp_path):
    (tmp_path / "check_own.py").write_text('def check_own():\n    """Mine."""\n')
    assert {("check_own", "import", "Mine.")} <= {(info.id, info.tier, info.title) for info in listed(tmp_path)}


@pytest.mark.parametrize(
    ("text", "says"),
    [("import nothing_of_the_kind\n", "nothing_of_the_kind"),
     ("from rocmimg.checks import check\n@check('origin', tier='import')\ndef check_x():\n    pass\n", "'origin'")],
)  # fmt: skip
def test_a_folder_that_cannot_be_read_is_an_error(tmp_path, text, says):
    (tmp_path / "check_own.py").write_text(text)
    with pytest.raises(ConfigError, match=says):
        listed(tmp_path)


def _cell(load_matrix, checks):
    matrix = load_matrix(f"""
        targets:
          t:
            gpu_archs: [gfx942]
            base: debian
            checks: {checks}
    """)
    return matrix.cell("t-gfx942"), matrix.folder


@pytest.mark.parametrize(
    ("checks", "says"),
    [("{folder: nowhere}", "nowhere is not a folder"),
     ("{waivers: [{check: orgin, reason: r, until: 2026-06-30}]}", "did you mean 'origin'")],
)  # fmt: skip
def test_wrong_folders_and_waivers_have_a_position(load_matrix, checks, says):
    cell, folder = _cell(load_matrix, checks)
    with pytest.raises(ConfigError) as error:
        own_folder(cell, folder)
    assert says in str(error.value)
    assert str(error.value).startswith("images.yaml:5")


@pytest.mark.parametrize("until", ["tomorrow", "2026-13-01", "30.6.2026"])
def test_a_waiver_needs_a_day(load_matrix, until):
    with pytest.raises(ConfigError, match="until"):
        _cell(load_matrix, f"{{waivers: [{{check: origin, reason: r, until: '{until}'}}]}}")


def test_a_waiver_needs_a_reason(load_matrix):
    with pytest.raises(ConfigError, match="reason"):
        _cell(load_matrix, "{waivers: [{check: origin, until: 2026-06-30}]}")


def test_a_run_of_some_tiers_keeps_what_was_shown_of_the_others(tmp_path):
    path = tmp_path / "t-gfx942.json"

    def stored(result, *tiers):
        store(path, result, tiers)
        return {one.id: one.status for one in result_from_json(json.loads(path.read_text())).checks}

    first = image(check("passed", "labels", "image"), check("failed", "origin", "import"))
    assert stored(first, "image", "import") == {"labels": "passed", "origin": "failed"}
    again = image(check("passed", "origin", "import"))
    assert stored(again, "import") == {"labels": "passed", "origin": "passed"}
    assert stored(replace(again, image_id="sha256:other"), "import") == {"origin": "passed"}
    path.write_text("no JSON")
    assert stored(first, "image", "import") == {"labels": "passed", "origin": "failed"}


def test_results_of_an_earlier_run_keep_its_name(tmp_path):
    path = tmp_path / "t-gfx942.json"
    store(path, image(check("passed", "labels", "image", run="1"), run="1"), ("image",))
    store(path, image(check("passed", "origin", "import", run="2"), run="2"), ("import",))
    kept = result_from_json(json.loads(path.read_text()))
    assert ({one.id: one.run for one in kept.checks}, kept.run) == ({"labels": "1", "origin": "2"}, "2")
