"""What every production build must show. Each claim raises AssertionError with the calls that break it."""

from __future__ import annotations

import re
from collections.abc import Callable

from tracing.build import Built
from tracing.rebuild import known
from tracing.record import Call

_PROTECTED = re.compile(r"torch|torchvision|torchaudio|triton|pytorch[_-]triton-rocm")


def _none(broken: list[Call], what: str) -> None:
    assert not broken, what + ":\n" + "\n".join(map(str, broken))


def nothing_failed(built: Built) -> None:
    """No failure was swallowed: a command that failed would have ended its step, or was told not to."""
    _none([call for call in built.trace if call.exit != 0], "failed, and the build went on")


def pins_are_built(built: Built) -> None:
    """Each git source is fetched and checked out at its pin, and whatever is built, is built from a pin."""
    pins: dict[str, set[str]] = {}
    for component in built.cell.components:
        source = component.git
        if source is None:
            continue
        pins.setdefault(source.repo, set()).add(source.ref)
        own = component.name if component.name in built.trace.stages else "base"
        stage = next((name for name in built.plan_uses(own) if name.endswith("-source")), own)
        assert any(
            call.facts["url"] == source.repo and source.ref in call.facts["refs"]
            for call in (*built.trace.of("git", stage, verb="fetch"), *built.trace.of("git", stage, verb="clone"))
        ), f"{component.name}: {source.repo} was never fetched at {source.ref}"
        assert any(
            call.facts["url"] == source.repo and call.facts["head"] == source.ref
            for call in built.trace.of("git", stage, verb="checkout")
        ), f"{component.name}: {source.ref} was never checked out"
        for verb, commits in (("revert", source.reverts), ("cherry-pick", source.picks)):
            done = [c for call in built.trace.of("git", stage, verb=verb) for c in call.facts["commits"]]
            assert done == list(commits), f"{component.name}: {verb} {done} instead of {list(commits)}"
    wrong = [
        call
        for call in built.trace
        if call.tool in ("setup.py", "cmake", "make", "ninja", "meson", "maturin", "cargo", "build", "pip")
        and call.checkout.get("url") in pins
        and call.checkout["head"] not in pins[call.checkout["url"]]
    ]
    _none(wrong, "built from something else than a pin")


def installs_are_constrained(built: Built) -> None:
    """Once the base stage is done, pip may replace nothing that was to be kept."""
    if not built.cell.config.protect:
        return
    _none(
        [
            call
            for verb in ("install", "wheel")
            for call in built.trace.of("pip", verb=verb)
            if call.stage != "base" and not call.facts["no_deps"] and not call.facts["constraints"]
        ],
        "installs without the constraint",
    )


def kept_distributions_are_kept(built: Built) -> None:
    """No install resolved torch or Triton to whatever an index has newest."""
    drifted = {n: v for n, v in built.distributions.items() if _PROTECTED.fullmatch(n) and v == "9999"}
    assert not drifted, f"taken from an index without a pin: {drifted}"


def editable_installs_are_compat(built: Built) -> None:
    """Every editable install is written as a .pth file."""
    _none(
        [
            call
            for call in built.trace.of("pip", verb="install")
            if call.facts["editable"] and "editable_mode=compat" not in call.facts["config_settings"]
        ],
        "editable without compat",
    )
    _none([c for c in built.trace.of("setup.py") if "develop" in c.facts["commands"]], "setup.py develop")


def archs_are_the_cells(built: Built) -> None:
    """Whatever is compiled for a GPU is compiled for the cell's archs and no others."""
    own = set(built.cell.archs)
    wrong = []
    for call in built.trace:
        said = " ".join((*call.argv, *(call.env.get(name, "") for name in ("GPU_ARCHS", "PYTORCH_ROCM_ARCH"))))
        if set(re.findall(r"gfx[0-9a-f]+", said)) - own:
            wrong.append(call)
    _none(wrong, f"names other archs than {sorted(own)}")


def llvm_only_on_request(built: Built) -> None:
    """HIP_CLANG_PATH is set with BUILD_LLVM alone."""
    if not built.cell.flags.get("BUILD_LLVM"):
        _none([call for call in built.trace if "HIP_CLANG_PATH" in call.env], "has HIP_CLANG_PATH")
        assert "HIP_CLANG_PATH" not in built.image.env


def build_packages_stay_behind(built: Built) -> None:
    """The final image has the Debian packages that were declared for it, and no package manager's cache."""
    cell = built.cell
    declared = {*cell.config.apt, *cell.config.base.apt}
    for component in cell.components:
        declared |= {*component.recipe.apt.runtime, *component.recipe.apt.vendor, *component.config.runtime_apt}
        if component.recipe.in_base_stage:
            declared |= {*component.recipe.apt.build, *component.config.apt}
    undeclared = sorted({p.partition("=")[0] for p in built.packages} - {p.partition("=")[0] for p in declared})
    assert not undeclared, f"Debian packages of the final image that nothing declares for it: {undeclared}"
    assert not built.leftovers, f"left behind: {built.leftovers}"


def every_stage_is_used(built: Built) -> None:
    """The final image takes something of each stage, directly or through others."""
    steps = {
        stage.name for stage in built.plan.stages if re.search(r"^(RUN|COPY|ADD|WORKDIR) ", stage.text, re.MULTILINE)
    }
    unused = steps - set(known(built.steps))
    assert not unused, f"nothing is taken from {sorted(unused)}"


def the_environment_is_the_images(built: Built) -> None:
    """Variables of the runtime are in the image's configuration, where every process sees them."""
    missing = built.cell.runtime_env.items() - built.image.env.items()
    assert not missing, f"not in the image's environment: {sorted(missing)}"


def torch_keeps_its_requirements(built: Built) -> None:
    """Where Triton is replaced, torch requires the one that is there, and everything else that it did."""
    if not built.torch_requires:
        return
    names = [re.match(r"[\w.-]+", line)[0] for line in built.torch_requires]  # type: ignore[index]
    assert names in (["filelock", "pytorch-triton-rocm", "sympy"], ["filelock", "triton", "sympy"]), names
    if "triton" in names:
        wanted = f"triton=={built.distributions['triton']}"
        assert any(line.startswith(wanted) for line in built.torch_requires), f"{wanted}: {built.torch_requires}"
    else:
        assert not built.cell.flags.get("BUILD_TRITON"), built.torch_requires


CLAIMS: tuple[Callable[[Built], None], ...] = (
    nothing_failed,
    pins_are_built,
    installs_are_constrained,
    kept_distributions_are_kept,
    editable_installs_are_compat,
    archs_are_the_cells,
    llvm_only_on_request,
    build_packages_stay_behind,
    every_stage_is_used,
    the_environment_is_the_images,
    torch_keeps_its_requirements,
)
