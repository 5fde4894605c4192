"""Each check that claims a failure class finds it, and nothing else; the clean image shows none."""

from dataclasses import replace

import pytest

from .faults import FAULTS, Fault


def test_the_clean_image_passes(judge):
    result = judge()
    assert [(check.id, check.reason) for check in result.failures] == []
    assert result.status == "passed"
    assert {check.id for check in result.missing} == set()


@pytest.mark.parametrize("fault", [one for one in FAULTS if one.twin is not None], ids=lambda fault: fault.name)
def test_made_right_nothing_fails(fault: Fault, judge, faulty):
    result = judge(faulty(replace(fault, script=fault.twin)), ("checks.folder=", *fault.sets))
    assert [(check.id, check.reason) for check in result.failures] == []


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_exactly_the_check_of_a_fault_fails(fault: Fault, judge, faulty):
    image = faulty(fault) if fault.script or fault.instructions else ""
    result = judge(image, ("checks.folder=", *fault.sets))
    assert [check.id for check in result.failures] == [fault.check], [
        c.reason for c in result.failures
    ] or result.reason
    (failure,) = result.failures
    told = " ".join(one.what for one in failure.findings)
    assert fault.says in f"{told} {failure.cause} {failure.fix}"
    assert failure.cause
    assert failure.fix
    assert failure.classes == fault.classes
