"""F01: the resolver replaces ROCm torch by the CUDA build."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Final

from rocmimg.lint.context import LintFile, Run
from rocmimg.lint.model import Hit, Level, Rule
from rocmimg.lint.tools import PipInstall, pip_install

_TORCH: Final = frozenset({"torch", "torchvision", "torchaudio"})
# Distributions whose metadata requires torch: installing one lets the resolver choose torch again.
_NEEDS_TORCH: Final = frozenset(
    {"accelerate", "bitsandbytes", "compressed-tensors", "deepspeed", "kornia", "lightning", "open-clip-torch", "peft"}
    | {"pytorch-lightning", "sentence-transformers", "timm", "torchmetrics", "vllm", "xformers", "xgrammar"}
)
_TORCH_BASE: Final = re.compile(r"pytorch|vllm|sgl|torch")


def _constrained(file: LintFile, run: Run, install: PipInstall) -> bool:
    if install.has("--no-deps", "-c", "--constraint", "--constraints", "--no-index", "--require-hashes", "--override"):
        return True
    names = ("UV_CONSTRAINT", "UV_OVERRIDE") if install.uv else ("PIP_CONSTRAINT",)
    own = {a.name for a in (*install.command.assignments, *run.script.assignments)}
    index = run.instruction.index
    for name in names:
        variants = file.live_variants(run, install.command)
        bound = [file.scopes.binding(run.stage, index, name, variant) is not None for variant in variants]
        if name in own or (bound and all(bound)):
            return True
    return False


def _from_rocm(file: LintFile, run: Run, install: PipInstall) -> bool:
    words = install.values("-i", "--index-url", "--default-index", "--index", "-f", "--find-links", "--torch-backend")
    texts = [file.resolve(run, word) or word.value for word in words]
    for name in ("PIP_INDEX_URL", "UV_DEFAULT_INDEX", "UV_INDEX_URL", "UV_INDEX", "PIP_FIND_LINKS"):
        variant = file.scopes.variants_of(run.stage)[0]
        texts.append(file.scopes.value(run.stage, run.instruction.index, name, variant) or "")
    return any(re.search(r"rocm|repo\.radeon|amd\.com", text, re.IGNORECASE) for text in texts)


def _named(file: LintFile, run: Run, install: PipInstall) -> Iterator[Hit]:
    extra = [file.resolve(run, word) or word.value for word in install.values("--extra-index-url")]
    for need in install.requirements:
        spec = need.spec
        pinned = "rocm" in spec.lower() or "+" in spec or "$" in spec or "@" in spec
        if need.name == "torch" and not pinned and not _from_rocm(file, run, install):
            how = "an extra index only adds candidates" if extra else "the default index has the CUDA build"
            yield Hit(start=need.word.start, end=need.word.end, message=f"torch is chosen by version alone: {how}")
        elif need.name in _TORCH and install.has("-U", "--upgrade") and not pinned and extra:
            yield Hit(
                start=need.word.start,
                end=need.word.end,
                message=f"--upgrade lets {need.name} move to the CUDA build of another index",
                level=Level.WARNING,
            )


def check(file: LintFile) -> Iterable[Hit]:
    if not file.is_rocm:
        return
    for stage in file.dockerfile.stages:
        for instruction in stage.instructions:
            for pair in instruction.pairs:
                if pair.name == "UV_INDEX_STRATEGY" and "unsafe-best-match" in (pair.value or ""):
                    yield Hit(
                        start=pair.start,
                        end=pair.end,
                        message="unsafe-best-match takes the highest version of any index: a newer CUDA torch wins",
                        level=Level.WARNING,
                    )
    open_installs: list[PipInstall] = []
    torch_in: set[int] = set()
    for run, command in file.commands():
        install = pip_install(command)
        if install is None:
            continue
        stage = run.stage
        variants = file.scopes.variants_of(stage)
        lineage = {other.index for other in file.scopes.lineage(stage, variants[0])}
        base = " ".join(file.scopes.base_image(stage, variant) or "" for variant in variants)
        if not _constrained(file, run, install):
            yield from _named(file, run, install)
            has_torch = bool(lineage & torch_in) or _TORCH_BASE.search(base) is not None
            # ROCm's own Python packages (amdsmi) require nothing.
            own = (command.cwd or "").startswith("/opt/rocm")
            resolves = (bool(install.projects) and not own) or install.has("-r", "--requirement")
            resolves |= any(need.name in _NEEDS_TORCH for need in install.requirements)
            if has_torch and resolves and not _from_rocm(file, run, install):
                open_installs.append(install)
        if any(need.name == "torch" for need in install.requirements):
            torch_in.add(stage.index)
    if open_installs:
        first, *more = open_installs
        yield Hit(
            start=first.command.start,
            end=first.after_install,
            message="nothing holds ROCm torch while these dependencies are resolved",
            level=Level.WARNING,
            more=tuple(other.command.start for other in more),
        )


RULE: Final = Rule(
    id="ROC001",
    failure_class="F01",
    level=Level.ERROR,
    title="the resolver may replace ROCm torch by the CUDA build",
    why="Index servers know no GPU vendor: the highest version wins, and the default index has only CUDA builds.",
    fix="Freeze torch, torchvision, torchaudio into a file and set PIP_CONSTRAINT to it; or install with --no-deps.",
    case="ComfyUI-Docker#187, unsloth#6230, sglang#30984",
    bad="FROM rocm/dev-ubuntu-24.04:7.2\nRUN pip install torch==2.9.1\n",
    good=(
        "FROM rocm/dev-ubuntu-24.04:7.2\n"
        "RUN pip install --index-url https://download.pytorch.org/whl/rocm7.2 torch==2.9.1\n"
    ),
    check=check,
)
