"""Each check that claims a failure class finds it, and nothing else; the clean image shows none."""

import pytest

from .faults import FAULTS, Fault


def test_the_clean_image_passes(judge):
    result = judge()
    assert [(check.id, check.reason) for check in result.failures] == []
    assert result.status == "passed"
    assert {check.id for check in result.missing} == set()


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_exactly_the_check_of_a_fault_fails(fault: Fault, judge, faulty):
    image = faulty(fault) if fault.script or fault.instructions else ""
    result = judge(image, ("checks.folder=", *fault.sets))
    assert [check.id for check in result.failures] == [fault.check], [
        c.reason for c in result.failures
    ] or result.reason
    (failure,) = result.failures
    assert fault.says in f"{failure.reason} {failure.cause} {failure.fix}"
    assert failure.cause
    assert failure.fix
    assert failure.classes == fault.classes
