"""The gate: which records let a digest pass."""

from __future__ import annotations

from rocmimg.checks.model import CheckResult, ImageResult, Status, Tier
from rocmimg.release.gate import evaluate, may_pass


def result(*checks: tuple[str, Tier, Status], started: str = "2026-11-01T00:00:00Z", device: str = "") -> ImageResult:
    return ImageResult(
        id="app-gfx942",
        target="app",
        gpu_arch="gfx942",
        image="app",
        image_id="sha256:1",
        digest="sha256:2",
        started=started,
        seconds=1,
        engine="docker 20.10",
        device=device,
        checks=tuple(
            CheckResult(id=i, tier=t, classes=(), status=s, reason="" if s == "passed" else "because")
            for i, t, s in checks
        ),
    )


def states(*results: ImageResult, requires: tuple[str, ...] = ("import", "gpu"), **overrides: str) -> list[str]:
    return [verdict.state for verdict in evaluate(requires, results, overrides)]


def test_nothing_was_checked() -> None:
    verdicts = evaluate(("import",), [])
    assert [verdict.state for verdict in verdicts] == ["missing"]
    assert not may_pass(verdicts)


def test_every_tier_has_to_be_proven() -> None:
    passed = result(("a", "import", "passed"), ("b", "gpu", "passed"), device="MI300X")
    verdicts = evaluate(("import", "gpu"), [passed])
    assert may_pass(verdicts)
    assert [str(verdict) for verdict in verdicts] == ["import: 1 passed", "gpu: 1 passed on MI300X"]
    assert states(result(("a", "import", "passed"))) == ["proven", "missing"]


def test_one_check_that_was_not_run_leaves_its_tier_unproven() -> None:
    assert states(result(("a", "import", "passed"), ("b", "import", "not-run")), requires=("import",)) == ["missing"]


def test_a_failure_cannot_be_overridden_a_missing_proof_can() -> None:
    bad = result(("a", "import", "failed"), ("b", "gpu", "not-run"))
    assert states(bad, **{"import": "please", "gpu": "no GPU"}) == ["failed", "overridden"]


def test_an_override_that_is_not_needed_is_not_used() -> None:
    assert states(result(("b", "gpu", "passed")), requires=("gpu",), gpu="no GPU") == ["proven"]


def test_tiers_are_proven_on_different_machines() -> None:
    cpu = result(("a", "import", "passed"), ("b", "gpu", "not-run"))
    gpu = result(("b", "gpu", "passed"), started="2026-11-02T00:00:00Z", device="MI300X")
    assert states(cpu, gpu) == ["proven", "proven"]
    again = result(("a", "import", "passed"), ("b", "gpu", "not-run"), started="2026-11-03T00:00:00Z")
    assert states(cpu, gpu, again) == ["proven", "proven"]


def test_the_latest_answer_of_a_check_counts() -> None:
    good = result(("b", "gpu", "passed"))
    bad = result(("b", "gpu", "failed"), started="2026-11-02T00:00:00Z")
    assert states(good, bad, requires=("gpu",)) == ["failed"]
    assert states(bad, good, requires=("gpu",)) == ["proven"]


def test_what_the_image_has_nothing_of_and_what_is_waived_pass_and_say_so() -> None:
    none = result(("c", "aot", "not-applicable"))
    assert [str(v) for v in evaluate(("aot",), [none])] == ["aot: nothing of the kind in the image"]
    assert states(result(("c", "aot", "waived")), requires=("aot",)) == ["proven"]


def test_a_tier_that_is_not_required_does_not_matter() -> None:
    assert states(result(("a", "import", "passed"), ("b", "gpu", "failed")), requires=("import",)) == ["proven"]


def test_a_failure_on_one_gpu_is_not_undone_by_another() -> None:
    bad = result(("b", "gpu", "failed"), device="MI300X")
    good = result(("b", "gpu", "passed"), started="2026-11-02T00:00:00Z", device="MI355X")
    assert states(bad, good, requires=("gpu",)) == ["failed"]
    again = result(("b", "gpu", "passed"), started="2026-11-03T00:00:00Z", device="MI300X")
    (verdict,) = evaluate(("gpu",), [bad, good, again])
    assert str(verdict) == "gpu: 1 passed on MI300X, MI355X"


def test_what_was_not_run_is_told_by_reason() -> None:
    (verdict,) = evaluate(("gpu",), [result(("a", "gpu", "not-run"), ("b", "gpu", "not-run"))])
    assert str(verdict) == "gpu: missing: 2 checks not run: because"
