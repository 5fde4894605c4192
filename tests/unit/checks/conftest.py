"""An image to judge that needs no engine: what the plan says, what the engine says, what the probe found."""

from collections.abc import Callable
from copy import deepcopy
from types import SimpleNamespace

import pytest

from rocmimg.checks.api import Failure, Image, NotApplicable
from rocmimg.checks.job import CheckJob
from rocmimg.checks.model import CheckResult
from rocmimg.checks.plugin import evaluate
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
    "probe": {"format": 2, "where": "image", "kind": "", "error": ""},
    "startup": {"seconds": 0.1, "stdout": "", "stderr": "", "error": "", "start_files": [], "shadowed": []},
    "interpreter": {
        "version": "3.12.1", "site": ["/site"], "executable": "/usr/bin/python3", "prefix": "/usr",
        "markers": {"python_version": "3.12", "python_full_version": "3.12.1", "sys_platform": "linux"},
    },
    "entry": {"argv": ["/bin/bash"], "path": "/bin/bash", "chain": [], "problem": "", "missing": [], "python": "",
              "module": "", "attribute": "", "import": None},
    "surroundings": {"env": {}, "interactive": {}, "login": {}, "etc_environment": {}, "uid": 0, "groups": ["root"],
                     "user": "root", "writable": {}, "kfd": None},
    "files": {"bytes": 1 << 30, "objects": [], "unreadable": [], "unread": [], "blas": [], "tensile": {}, "locks": [],
              "amdgpu_ids": {}, "rdma_providers": [], "leftovers": []},
    "git": {}, "distributions": [], "broken_metadata": [], "overwritten": [], "origins": [], "imports": {}, "maps": [],
    "meets": {}, "loads": [],
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

    def judged(check, *, component=None, planned=None, detail=None, history=(), host=None, again="", **sections):
        components = (COMPONENT.model_copy(update=component or {}),)
        plan = PLANNED.model_copy(update={"components": components, **(planned or {})})
        probe = deepcopy(PROBE)
        for name, found in sections.items():
            probe[name] = {**probe[name], **found} if isinstance(found, dict) and set(found) != {"error"} else found
        given = order.model_copy(update={"planned": plan, "detail": {**DETAIL, **(detail or {})}, "history": history})
        image = Image(given, probe)
        image.host = lambda **_: SimpleNamespace(run=lambda *_: SimpleNamespace(stdout=again))
        error = None
        try:
            check(image, host) if host else check(image)
        except (Failure, NotApplicable, pytest.skip.Exception) as ended:
            error = ended
        blank = CheckResult(id="c", tier="image", classes=(), status="passed")
        result = evaluate(blank, error, image.findings, image.unknown)
        unsaid = any(one.level == "failure" and not (one.cause and one.fix) for one in result.findings)
        return f"{result.status} without cause or fix" if unsaid else result.status, result.reason

    return judged
