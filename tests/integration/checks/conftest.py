"""The lab image, and images made from it, under judgement."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from rocmimg.builds.locate import ImageUnderTest, locate
from rocmimg.builds.observe import QuietView
from rocmimg.checks.model import ImageResult
from rocmimg.checks.run import Options, run
from rocmimg.engine import BuildRequest
from rocmimg.matrix import Selection, load, parse_set
from rocmimg.plan import ContextFile, make_plan

from .faults import HELPERS, Fault

ROOT = Path(__file__).parents[3]
LAB = ROOT / "examples/lab"
CELL = "lab-gfx942"


@pytest.fixture(scope="session")
def lab_subject(lab, host_engine) -> ImageUnderTest:
    """The lab image as `rocmimg test` finds it."""
    (subject,) = locate(make_plan(load(LAB / "images.yaml"), [CELL]), [CELL], host_engine.images())
    assert subject.image is not None
    assert subject.image.id == lab[CELL]
    return subject


@pytest.fixture
def judge(lab_subject, host_engine, tmp_path) -> Callable[..., ImageResult]:
    """Judge the lab image, or an image in its place, by the checks that need no compiler and no GPU."""

    def judged(image: str = "", sets: tuple[str, ...] = (), **options) -> ImageResult:
        selection = Selection(ids=(CELL,))
        matrix = load(LAB / "images.yaml", sets=[parse_set(text) for text in sets], selection=selection)
        info = lab_subject.image
        if image:
            info = next(one for one in host_engine.images() if image in one.tags)
        # The digest is that of the lab: what a fault changes in images.yaml is not what it is about.
        plan = make_plan(matrix, [CELL])[CELL]
        expected = plan.expected.model_copy(update={"digest": lab_subject.expected.digest})
        subject = ImageUnderTest(plan=plan, expected=expected, image=info)
        given = Options(**{"tiers": ("image", "import"), "results": tmp_path / "results", "project": LAB, **options})
        (result,) = run([subject], host_engine, given, QuietView())
        return result

    return judged


@pytest.fixture(scope="session")
def lab_tag(lab, host_engine):
    """A name for the lab image that no build moves meanwhile: FROM takes no id."""
    tag = f"rocmimg-checks/lab:{os.getpid()}"
    host_engine.tag(lab[CELL], tag)
    yield tag
    host_engine.remove(tag)


@pytest.fixture
def faulty(lab_tag, host_engine):
    """Build an image with a fault; it goes away with the test."""
    tag = f"rocmimg-checks/fault:{os.getpid()}"

    def build(fault: Fault) -> str:
        text = f"FROM {lab_tag}\n"
        if fault.script:
            text += "USER root\nRUN --mount=type=bind,source=fault.sh,target=/fault.sh sh -eux /fault.sh\n"
        text += f"{fault.instructions}\n"
        script = ContextFile(path="fault.sh", data=(HELPERS + fault.script).encode())
        host_engine.build(BuildRequest(dockerfile=text, context=(script,), tags=(tag,)), lambda _: None)
        return tag

    yield build
    host_engine.remove(tag, force=True)
