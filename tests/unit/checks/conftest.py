"""An image to judge that needs no engine: what the plan says, what the engine says, what the probe found."""

from collections.abc import Callable
from copy import deepcopy

import pytest

from rocmimg.checks.api import Failure, Image, NotApplicable
from rocmimg.checks.job import CheckJob
from rocmimg.plan.expected import ExpectedComponent, ExpectedImage

COMPONENT = ExpectedComponent(
    name="aiter", recipe="aiter", module="aiter", import_needs_gpu=True, kernels=True, prebuilt=True,
    install="editable", checkout="/w/aiter", ref="", archs=("gfx942",), requires=(),
)  # fmt: skip
PLANNED = ExpectedImage(
    cell="t-gfx942", target="t", arch="gfx942", archs=("gfx942",), python="python3", workdir="/w", user="root",
    entrypoint=(), command=("/bin/bash",), env={}, labels={}, digest="", keep=(), components=(COMPONENT,), torch="rocm",
    max_image_mib=0, max_layer_mib=0,
)  # fmt: skip
DETAIL = {"env": {}, "labels": {}, "entrypoint": [], "cmd": ["/bin/bash"], "workdir": "/w", "user": "", "size": 1 << 30}
PROBE = {
    "interpreter": {"version": "3.12.1", "site": ["/site"]},
    "surroundings": {"env": {}, "interactive": {}, "login": {}, "etc_environment": {}, "uid": 0, "groups": ["root"],
                     "user": "root", "writable": {}, "kfd": None},
    "files": {"objects": [], "unreadable": [], "tensile": {}, "locks": [], "amdgpu_ids": {}, "rdma_providers": [],
              "leftovers": []},
    "git": {}, "distributions": [], "overwritten": [], "origins": [], "imports": {}, "maps": [], "loads": [],
}  # fmt: skip


@pytest.fixture
def order(tmp_path) -> CheckJob:
    """An order without waivers and without a GPU."""
    return CheckJob(
        planned=PLANNED, detail=DETAIL, history=(), container="none", tiers=("image", "import"),
        probe=tmp_path / "probe.json", results=tmp_path / "results.jsonl", folder=tmp_path,
    )  # fmt: skip


@pytest.fixture
def verdict(order) -> Callable[..., tuple[str, str]]:
    """Run a check on an image that is clean but for what is given; its status and reason."""

    def judged(check, *, component=None, planned=None, detail=None, **sections):
        components = (COMPONENT.model_copy(update=component or {}),)
        plan = PLANNED.model_copy(update={"components": components, **(planned or {})})
        probe = deepcopy(PROBE)
        for name, found in sections.items():
            probe[name] = {**probe[name], **found} if isinstance(found, dict) and "error" not in found else found
        given = order.model_copy(update={"planned": plan, "detail": {**DETAIL, **(detail or {})}})
        try:
            check(Image(given, probe))
        except Failure as failure:
            return ("failed" if failure.cause and failure.cure else "failed without cause or cure"), failure.what
        except NotApplicable as reason:
            return "not-applicable", str(reason)
        except pytest.skip.Exception as reason:
            return "not-run", str(reason)
        return "passed", ""

    return judged
