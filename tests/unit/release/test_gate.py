"""The gate: which records let a digest pass."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from rocmimg.checks.model import CheckInfo, CheckResult, Finding, ImageResult, Status, Tier, Waiver
from rocmimg.release.gate import Demand, Verdict, evaluate, may_pass
from rocmimg.release.records import Checked

Said = tuple[str, Tier, Status]
TODAY = date(2026, 11, 25)


def suite(**tiers: Tier) -> tuple[CheckInfo, ...]:
    return tuple(CheckInfo(id=i, tier=t, classes=(), title="", path="", digest="1") for i, t in tiers.items())


SUITE = suite(a="import", b="gpu", c="aot")


def demand(*tiers: Tier, **more: Any) -> Demand:
    given: dict[str, Any] = {
        "cell": "app-gfx942",
        "plan": "sha256:2",
        "archs": ("gfx942",),
        "suite": SUITE,
        "today": TODAY,
    }
    return Demand(tiers=tiers, **{**given, **more})


def result(*checks: Said, device: str = "", arch: str = "gfx942", run: str = "r", when: str = "") -> ImageResult:
    return ImageResult(
        id="app-gfx942",
        target="app",
        gpu_arch="gfx942",
        image="app",
        image_id="sha256:1",
        digest="sha256:2",
        run=run,
        started=when or "2026-11-01T00:00:00Z",
        seconds=1,
        engine="docker 20.10",
        device=device,
        checks=tuple(
            CheckResult(
                id=i,
                tier=t,
                classes=(),
                status=s,
                reason="" if s == "passed" else "because",
                digest="1",
                run=run,
                device=device if t == "gpu" else "",
                archs=(arch,),
            )
            for i, t, s in checks
        ),
    )


def attached(*results: ImageResult, concurrent: bool = False) -> list[Checked]:
    """Records that were attached one after the other, each seeing those before it; or none seeing another."""
    names = [f"sha256:record{index}" for index in range(len(results))]
    return [
        Checked(digest=names[index], after=frozenset() if concurrent else frozenset(names[:index]), result=one)
        for index, one in enumerate(results)
    ]


def verdicts(*results: ImageResult, tiers: tuple[Tier, ...] = ("import", "gpu"), **overrides: str) -> list[Verdict]:
    return evaluate(demand(*tiers), attached(*results), overrides)


def states(*results: ImageResult, tiers: tuple[Tier, ...] = ("import", "gpu"), **overrides: str) -> list[str]:
    return [verdict.state for verdict in verdicts(*results, tiers=tiers, **overrides)]


GOOD, BAD, NONE = ("b", "gpu", "passed"), ("b", "gpu", "failed"), ("b", "gpu", "not-run")


def test_nothing_was_checked() -> None:
    found = evaluate(demand("import"), [])
    assert [str(verdict) for verdict in found] == ["import: missing: not run on this digest"]
    assert not may_pass(found)


def test_every_tier_has_to_be_proven() -> None:
    found = verdicts(result(("a", "import", "passed"), GOOD, device="MI300X"))
    assert may_pass(found)
    assert [str(verdict) for verdict in found] == ["import: 1 passed", "gpu: 1 passed on MI300X"]
    assert states(result(("a", "import", "passed"))) == ["proven", "missing"]


def test_a_failure_cannot_be_overridden_a_missing_proof_can() -> None:
    bad = result(("a", "import", "failed"), NONE)
    assert states(bad, **{"import": "please", "gpu": "no GPU"}) == ["failed", "overridden"]


def test_an_override_that_is_not_needed_is_not_used() -> None:
    assert states(result(GOOD, device="X"), tiers=("gpu",), gpu="no GPU") == ["proven"]


def test_a_gpu_proof_names_its_device_and_architecture() -> None:
    assert states(result(GOOD), tiers=("gpu",)) == ["missing"]
    assert states(result(GOOD, device="X", arch="gfx950"), tiers=("gpu",)) == ["missing"]


def test_tiers_are_proven_on_different_machines() -> None:
    cpu = result(("a", "import", "passed"), NONE)
    gpu = result(GOOD, device="MI300X")
    assert states(cpu, gpu) == ["proven", "proven"]
    assert states(cpu, gpu, cpu) == ["proven", "proven"]  # "not run" answers nothing, whenever it is said
    assert states(cpu, result(BAD, device="MI300X"), cpu) == ["proven", "failed"]


def test_a_failure_counts_until_a_later_run_passes() -> None:
    good, bad = result(GOOD, device="X"), result(BAD, device="X")
    assert states(good, bad, tiers=("gpu",)) == ["failed"]
    assert states(bad, good, tiers=("gpu",)) == ["proven"]
    assert states(bad, good, bad, tiers=("gpu",)) == ["failed"]


def test_later_is_what_saw_the_failure_and_not_what_a_clock_says() -> None:
    bad = result(BAD, device="X", when="2026-11-01T00:00:00Z")
    good = result(GOOD, device="X", when="2099-01-01T00:00:00Z")
    assert states(good, bad, tiers=("gpu",)) == ["failed"]
    assert states(replace(bad, started="2099-01-01T00:00:00Z"), good, tiers=("gpu",)) == ["proven"]
    together = evaluate(demand("gpu"), attached(bad, good, concurrent=True))
    assert [verdict.state for verdict in together] == ["failed"]


def test_what_a_file_kept_of_an_earlier_run_clears_nothing() -> None:
    """Run 1 passed, run 2 elsewhere failed; then the first machine runs another tier and attaches its file."""
    failed = result(BAD, device="X", run="2")
    early = result(GOOD, device="X", run="1")
    merged = replace(result(("a", "import", "passed"), run="3"), checks=(*early.checks, *result(run="3").checks))
    assert states(failed, merged, tiers=("gpu",)) == ["failed"]
    assert states(merged, tiers=("gpu",)) == ["proven"]  # where nothing failed it is an answer


@pytest.mark.parametrize("kept", ["1", "9"])
def test_what_a_file_kept_of_an_earlier_run_makes_no_other_check_known(kept: str) -> None:
    odd = result(("of-yesterday", "import", "passed"), run="2")
    merged = replace(result(run="3"), checks=result(("a", "import", "passed"), run=kept).checks)
    (found,) = verdicts(odd, merged, tiers=("import",))
    assert str(found) == "import: missing: of-yesterday is in the results and not in the suite"


def test_a_check_that_is_not_in_the_results_is_missing_and_named() -> None:
    more = (*SUITE, *suite(new="import"))
    (found,) = evaluate(demand("import", suite=more), attached(result(("a", "import", "passed"))))
    assert str(found) == "import: missing: new not run: it is not in the results"


def test_a_check_that_the_suite_does_not_have_proves_nothing() -> None:
    odd = result(("a", "import", "passed"), ("of-yesterday", "import", "passed"))
    (found,) = verdicts(odd, tiers=("import",))
    assert str(found) == "import: missing: of-yesterday is in the results and not in the suite"
    assert states(odd, result(("a", "import", "passed")), tiers=("import",)) == ["proven"]  # run again by today's suite


@pytest.mark.parametrize("digest", ["0", "2"])
def test_an_answer_of_another_version_of_the_check_is_none(digest: str) -> None:
    newer = tuple(replace(info, digest=digest) for info in SUITE)
    (found,) = evaluate(demand("import", suite=newer), attached(result(("a", "import", "passed"))))
    assert str(found) == "import: missing: a not run: another version of the check was"
    (bad,) = evaluate(demand("import", suite=newer), attached(result(("a", "import", "failed"))))
    assert bad.state == "failed"


def test_results_of_another_plan_or_cell_prove_nothing() -> None:
    good = result(("a", "import", "passed"))
    for other in (replace(good, digest="sha256:other"), replace(good, id="app-gfx950")):
        (found,) = verdicts(other, tiers=("import",))
        assert str(found) == "import: missing: not run on this digest; 1 results are of another cell or plan"
    (found,) = verdicts(replace(good, id="x"), replace(good, id="y"), result(NONE), tiers=("import",))
    assert str(found).endswith("; 2 results are of another cell or plan")


def test_each_architecture_needs_its_own_gpu() -> None:
    both = demand("gpu", archs=("gfx942", "gfx950"))
    one, other = result(GOOD, device="MI300X"), result(GOOD, device="MI355X", arch="gfx950")
    (found,) = evaluate(both, attached(one))
    assert str(found) == "gpu: missing: b on gfx950 not run: it is not in the results"
    (found,) = evaluate(both, attached(one, other))
    assert str(found) == "gpu: 1 passed on MI300X, MI355X"


def test_a_failure_on_one_gpu_is_not_undone_by_another() -> None:
    bad, good = result(BAD, device="MI300X"), result(GOOD, device="MI300X B")
    assert states(bad, good, tiers=("gpu",)) == ["failed"]
    assert states(bad, good, result(GOOD, device="MI300X"), tiers=("gpu",)) == ["proven"]


def test_what_the_image_has_nothing_of_passes_and_says_so() -> None:
    (found,) = verdicts(result(("c", "aot", "not-applicable")), tiers=("aot",))
    assert str(found) == "aot: nothing of the kind in the image"
    assert may_pass([found])


def waived(status: Status, *paths: str) -> ImageResult:
    said = result(("c", "aot", status))
    findings = tuple(Finding(what=f"{path} is wrong", path=path) for path in paths)
    return replace(said, checks=tuple(replace(check, findings=findings) for check in said.checks))


def test_a_waiver_counts_while_the_file_has_it_and_is_shown_as_one() -> None:
    waiver = Waiver(check="c", reason="upstream#1", until="2026-11-25")
    for status in ("waived", "failed"):
        (found,) = evaluate(demand("aot", waivers=(waiver,)), attached(waived(status, "/a")))
        assert str(found) == "aot: 1 waived (c until 2026-11-25: upstream#1)"
    (gone,) = evaluate(demand("aot"), attached(waived("waived", "/a")))
    assert str(gone) == "aot: failed: c: because (no waiver for it is in force today)"
    (ended,) = evaluate(demand("aot", waivers=(waiver,), today=date(2026, 11, 26)), attached(waived("waived", "/a")))
    assert ended.state == "failed"


def test_a_waiver_for_one_path_covers_no_other() -> None:
    waiver = Waiver(check="c", reason="r", until="2026-12-01", path="/opt/*")
    (found,) = evaluate(demand("aot", waivers=(waiver,)), attached(waived("failed", "/opt/a")))
    assert found.state == "proven"
    (found,) = evaluate(demand("aot", waivers=(waiver,)), attached(waived("failed", "/opt/a", "/usr/b")))
    assert found.state == "failed"


def test_a_tier_that_is_not_required_does_not_matter() -> None:
    assert states(result(("a", "import", "passed"), BAD), tiers=("import",)) == ["proven"]


def test_what_was_not_run_is_told_by_reason() -> None:
    two = suite(a="gpu", b="gpu")
    (found,) = evaluate(demand("gpu", suite=two), attached(result(("a", "gpu", "not-run"), NONE)))
    assert str(found) == "gpu: missing: 2 checks not run: because"


def test_the_last_reason_for_not_running_is_told() -> None:
    said = [result(NONE) for _ in range(3)]
    reasons = ("no GPU", "no driver", "out of memory")
    runs = [replace(one, checks=(replace(one.checks[0], reason=why),)) for one, why in zip(said, reasons, strict=True)]
    (found,) = verdicts(*runs, tiers=("gpu",))
    assert str(found) == "gpu: missing: b not run: out of memory"


def test_of_many_failures_three_are_told_and_the_rest_counted() -> None:
    names = ("d", "e", "f", "g", "h")
    bad = result(*((name, "import", "failed") for name in names))
    (found,) = evaluate(demand("import", suite=suite(**dict.fromkeys(names, "import"))), attached(bad))
    assert str(found) == "import: failed: d: because; e: because; f: because and 2 more"
    (found,) = evaluate(
        demand("import", suite=suite(d="import", e="import", f="import")),
        attached(result(("d", "import", "failed"), ("e", "import", "failed"), ("f", "import", "failed"))),
    )
    assert str(found) == "import: failed: d: because; e: because; f: because"
