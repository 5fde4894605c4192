"""No claim without its fault: the table of failure classes is what the suite and the seeded faults say."""

import runpy
from pathlib import Path

from rocmimg.checks.classes import CLASSES
from rocmimg.checks.suites import listed

ROOT = Path(__file__).parents[3]
TABLE = runpy.run_path(str(ROOT / "scripts" / "failure_classes.py"))


def test_the_table_is_current():
    assert TABLE["DOCUMENT"].read_text() == TABLE["document"](), "run scripts/failure_classes.py"


def test_every_claim_has_a_fault_that_shows_it():
    shown = {(fault.check, name) for fault in TABLE["FAULTS"] for name in fault.classes}
    claimed = {(info.id, name) for info in listed() for name in info.classes if info.tier in ("image", "import")}
    assert claimed == shown


def test_every_class_is_claimed_by_a_check():
    assert {name for info in listed() for name in info.classes} == set(CLASSES)
