"""Runs of any size for the tests of the pages: every verb, every state, names as long as they get."""

from __future__ import annotations

import random

from rocmimg.checks.model import CheckResult, Finding, ImageResult, Status
from rocmimg.report.page.model import (
    Build,
    Cell,
    Decision,
    Head,
    Layer,
    Move,
    Name,
    Pin,
    Published,
    Run,
    Stage,
    Step,
    Verb,
)

ARCHS = ("gfx90a", "gfx942", "gfx950", "gfx1100", "gfx1201", "gfx1250")
EVIL = "</title><script>alert(1)</script><img src=x onerror=alert(2)>\x1b[31m'\"&amp;{{ 7*7 }}\u202e"
STAGES = {
    "base": (),
    "toolchain": ("base",),
    "rocm-systems-source": ("base",),
    "aiter-source": ("base",),
    "triton": ("base", "toolchain"),
    "aiter": ("toolchain", "aiter-source", "triton"),
    "mori": ("toolchain",),
    "ucx": ("toolchain",),
    "nixl": ("ucx", "toolchain"),
    "flash-attention": ("toolchain", "triton"),
    "sglang": ("aiter", "toolchain"),
    "final": ("base", "triton", "aiter", "mori", "nixl", "flash-attention", "sglang"),
}
BEGAN = 1_795_000_000.0


def run_of(verb: Verb, cells: int = 2, *, evil: bool = False) -> Run:
    """A run of ``verb`` over so many cells, of which one fails; ``evil`` puts hostile text wherever text goes."""
    text = EVIL if evil else ""
    head = Head(
        verb=verb,
        when="2026-11-30T12:34:56+00:00",
        who=f"ann{text}",
        commit="6efb3aaf3b90735938498ae09d2d84511e2d0dc1-dirty",
        engine=f"docker 28.3{text}",
        version="0.1.0",
        seconds=4321,
        exit_code=0 if verb in ("plan", "status") else 8,
    )
    return Run(head=head, cells=tuple(_cell(verb, number, text) for number in range(cells)))


def _cell(verb: Verb, number: int, text: str) -> Cell:
    chance = random.Random(number % 5)  # noqa: S311  # what comes again is drawn once
    arch = ARCHS[number % len(ARCHS)]
    name = f"rocm720-{arch}-variant{number}{text}"
    fails = number % 7 == 1
    stages = tuple(
        Stage(name=stage + text, uses=tuple(use + text for use in uses), why=f"component aiter changed{text}" * (
            verb == "plan" and stage in ("aiter-source", "aiter", "sglang", "final")))
        for stage, uses in STAGES.items()
    )  # fmt: skip
    cell = Cell(
        id=name,
        archs=(arch,),
        base="rocm/pytorch:rocm7.2_ubuntu24.04_py3.12@sha256:" + "0" * 64,
        stages=stages,
        pins=tuple(Pin(name=f"{stage}{text}", ref="v0.1.2", commit="ab" * 20, source="") for stage in STAGES),
    )
    fields = {}
    if verb == "plan":
        fields["decision"] = Decision(action="build" if number % 2 else "up-to-date", reasons=(f"stage aiter{text}",))
    if verb in ("build", "test"):
        fields["build"] = _build(number, chance, text, fails=fails and verb == "build")
        fields["layers"] = _layers(chance, text)
    if verb == "test" or (verb == "build" and number % 3 == 0):
        fields["checks"] = checked(name, arch, chance, text, fails=fails)
    if verb == "status":
        fields |= {"stages": (), **_published(name, number, text)}
    return Cell(**{key: getattr(cell, key) for key in cell.__slots__} | fields)


def _build(number: int, chance: random.Random, text: str, *, fails: bool) -> Build:
    if number % 5 == 4:
        return Build(status="up-to-date", image_id="sha256:" + "c" * 64, seconds=0.1)
    if number % 11 == 9:
        return Build(status="cancelled", reasons=(f"its base was not built{text}",))
    steps = [Step(stage="", text="load build context", state="done", start=0, seconds=2.5)]
    ends: dict[str, float] = {}
    for stage, uses in STAGES.items():
        at = max((ends[use] for use in uses), default=3.0)
        cached = stage in ("base", "toolchain", "rocm-systems-source") or (stage == "ucx" and number % 2)
        for step in range(chance.randint(2, 6)):
            seconds = 0.0 if cached else chance.random() * (900 if stage == "aiter" else 120)
            state = "cached" if cached else "done"
            if fails and stage == "sglang" and step == 1:
                state = "failed"
            elif fails and stage == "final":
                state = "cancelled"
            steps.append(Step(stage=stage + text, text=f"RUN make {text}", state=state, start=at, seconds=seconds))
            at += seconds
        ends[stage] = at
    whole = max(step.start + step.seconds for step in steps)
    return Build(
        status="failed" if fails else "built",
        image_id="sha256:" + "a" * 64,
        size=0 if fails else 31 << 30,
        began=BEGAN + number * 200,
        seconds=whole,
        reasons=("stage aiter", "component sglang: v0.5.9 -> v0.5.10"),
        steps=tuple(steps),
        error=f"sglang: exit code 1{text}" if fails else "",
        failed_step=f"[sglang 2/4] RUN make{text}" if fails else "",
        last_lines=("ninja: build stopped: subcommand failed.", "/opt/" + "x" * 300, text) if fails else (),
        log=f"/srv/build/logs/cell{number}.log",
    )


def _layers(chance: random.Random, text: str) -> tuple[Layer, ...]:
    own = [f"COPY --from={stage} /opt/{stage}/lib/python3.12/site-packages /opt/venv{text}" for stage in STAGES]
    base = [Layer(text="ADD rootfs", size=size << 20, base=True) for size in (80, 9000, 12_000)]
    return (*base, *(Layer(text=one, size=int(chance.random() ** 4 * (4 << 30)), base=False) for one in own))


def checked(name: str, arch: str, chance: random.Random, text: str = "", *, fails: bool = False) -> ImageResult:
    """Results of checks, without a GPU."""
    found = [_check(f"image-{n}", "image", "passed", text) for n in range(22)]
    found += [_check(f"import-{n}", "import", "passed" if n else "waived", text) for n in range(9)]
    found += [_check(f"gpu-gemm-bf16-{n}", "gpu", "not-run", text) for n in range(12)]
    if fails:
        reasons = ("/opt/" + "x" * 300, *(f"libfoo{n}.so needs libbar.so.1{text}" for n in range(20)))
        findings = tuple(
            Finding(what=what, cause=f"it stayed in the build stage{text}", fix=f"copy it{text}") for what in reasons
        )
        found.append(
            CheckResult(id="needed-libraries", tier="image", classes=("F23",), status="failed", reason=reasons[0],
                        findings=findings, details={"evidence": {"ldd": f"not found{text}"}})
        )  # fmt: skip
    packages = {"torch": {one: chance.randint(200, 900) << 20 for one in ARCHS}}
    packages |= {f"package-with-a-rather-long-name-{n}{text}": {arch: chance.randint(1, 300) << 20} for n in range(4)}
    packages["rocblas"] = {one: 40 << 20 for one in ARCHS if one != arch}
    packages["aiter"] = {f"gfx{n}": 1 << 20 for n in range(900, 930)}
    return ImageResult(
        id=name, target="rocm720", gpu_arch=arch, image=f"registry.example/lab/sglang:v0.5.10-{arch}",
        image_id="sha256:" + "a" * 64, digest="sha256:" + "b" * 64, started="2026-11-30T12:00:00+00:00", seconds=61.0,
        engine="docker 28.3", device="", archs=(arch,), checks=tuple(found), log="/srv/build/results/cell.log",
        coverage={"expected": [arch], "packages": packages, "files": 120, "compressed": 7, "unreadable": []},
        notes=(f"not what the plan says{text}",) if fails else (),
    )  # fmt: skip


def _check(name: str, tier: str, status: Status, text: str) -> CheckResult:
    reason = {"not-run": f"no AMD GPU{text}", "waived": f"known (until 2099-01-01){text}"}.get(status, "")
    return CheckResult(
        id=name, tier=tier, classes=("F26",), status=status, reason=reason, title=f"What {name} shows{text}"
    )


def _published(name: str, number: int, text: str) -> dict[str, object]:
    digests = [f"sha256:{letter * 64}" for letter in "abcd"]
    proofs = {"image": "image: 22 passed", "import": "import: 9 passed", "gpu": "gpu: missing: no AMD GPU"}
    moves = (
        Move(when="2026-10-01T10:00:00Z", kind="promotion", who=f"ann{text}", version="v0.5.8", digest=digests[0],
             proofs=("image: 22 passed", "gpu: 12 passed on gfx942 MI300X")),
        Move(when="2026-10-20T10:00:00Z", kind="promotion", who="ann", version="v0.5.9", digest=digests[1],
             overridden=True, proofs=(f"gpu: overridden: no MI355X this week{text}",)),
        Move(when="2026-10-22T10:00:00Z", kind="rollback", who="ann", version="", digest=digests[0]),
        Move(when="2026-11-12T10:00:00Z", kind="promotion", who="bob", version=f"v0.5.10{text}", digest=digests[2]),
    )  # fmt: skip
    states = {"image": "proven", "import": "proven", "gpu": "missing" if number % 2 else "proven"}
    alias = f"registry.example/lab/sglang:variant{number}-latest{text}"
    layers = {"sha256:1": 9 << 30, "sha256:2": 1 << 30}
    return {
        "names": (
            Name(kind="alias", name=alias, digest=digests[2], when="2026-11-12T10:00:00Z", who="promotion by bob",
                 proofs=tuple(proofs.values()) if number % 2 else (), states=states, history=moves),
            Name(kind="tag", name=f"registry.example/lab/sglang:v0.5.11-variant{number}", digest=""),
            Name(kind="candidate", name="candidate-1", digest=digests[3], states={"image": "proven", "gpu": "missing"},
                 proofs=("gpu: missing: never run",)),
        ),
        "released": Published(label="v0.5.10, released", digest=digests[2], layers=layers | {"sha256:3": 300 << 20},
                              pins={"aiter": f"v0.1.12 abcdef{text}", "sglang": "v0.5.10", "base": "rocm/pytorch:x"}),
        "candidate": Published(label="candidate", digest=digests[3], layers=layers | {"sha256:4": 900 << 20},
                               pins={"aiter": "v0.1.14 123456", "sglang": "v0.5.10", "base": "rocm/pytorch:x"}),
    }  # fmt: skip
