"""AITER's three ways: kernels prebuilt, prebuilt with a compiler of one's own, left to the first use."""

from __future__ import annotations

import pytest
from tracing import IMAGES
from tracing.build import Tracer, made_by, production_cells
from tracing.record import Trace

pytestmark = pytest.mark.engine
CELLS = [cell for cell in production_cells(IMAGES) if made_by(cell, "aiter")]
EDITABLE = [cell.id for cell in CELLS if (c := made_by(cell, "aiter")) and c.install == "editable"]
ONE_OF_EACH_TARGET = list({cell.target: cell.id for cell in reversed(CELLS) if cell.id in EDITABLE}.values())
PREBUILT = [cell.id for cell in CELLS if cell.flags["BUILD_AITER_ALL"]]


def compilations(trace: Trace) -> list[dict[str, str]]:
    """The environment of each call that compiles AITER's kernels."""
    calls = [
        *trace.of("setup.py", "aiter", commands=["build_ext"]),
        *trace.of("setup.py", "aiter", commands=["bdist_wheel"]),
    ]
    return [dict(call.env) for call in calls if call.checkout]


@pytest.mark.parametrize("cell", PREBUILT)
def test_kernels_are_prebuilt_for_exactly_the_cells_archs(tracer: Tracer, cell: str) -> None:
    built = tracer.build(cell)
    environments = compilations(built.trace)
    component = made_by(built.cell, "aiter")
    assert environments
    assert component is not None
    for env in environments:
        assert env["PREBUILD_KERNELS"] == "1"
        assert env["GPU_ARCHS"].split(";") == list(component.archs)
        assert "HIP_CLANG_PATH" not in env


@pytest.mark.parametrize("cell", ONE_OF_EACH_TARGET)
def test_kernels_are_built_with_the_cells_own_llvm(tracer: Tracer, cell: str) -> None:
    built = tracer.build(cell, "flags.BUILD_AITER_ALL=true", "flags.BUILD_LLVM=true")
    llvm = made_by(built.cell, "llvm")
    assert llvm is not None
    prefix = str(llvm.options["prefix"])
    (configured,) = [call for call in built.trace.of("cmake", "llvm") if "defines" in call.facts]
    assert configured.facts["defines"]["CMAKE_INSTALL_PREFIX"] == prefix
    assert configured.checkout == {} or configured.checkout["head"] == llvm.source.ref
    assert [env["HIP_CLANG_PATH"] for env in compilations(built.trace)] == [f"{prefix}/bin"]
    assert built.image.env["HIP_CLANG_PATH"] == f"{prefix}/bin"


@pytest.mark.parametrize("cell", ONE_OF_EACH_TARGET)
def test_kernels_are_left_to_their_first_use(tracer: Tracer, cell: str) -> None:
    built = tracer.build(cell, "flags.BUILD_AITER_ALL=false", "flags.BUILD_LLVM=false")
    assert all(env["PREBUILD_KERNELS"] == "0" for env in compilations(built.trace))
    (install,) = [
        call
        for call in built.trace.of("pip", "final")
        if call.checkout.get("url", "").endswith("/aiter.git") and call.facts.get("editable")
    ]
    assert install.env["PREBUILD_KERNELS"] == "0"


@pytest.mark.parametrize("cell", EDITABLE)
def test_the_final_image_installs_aiter_editable_from_its_pin(tracer: Tracer, cell: str) -> None:
    built = tracer.build(cell)
    component = made_by(built.cell, "aiter")
    assert component is not None
    (install,) = [
        call
        for call in built.trace.of("pip", "final")
        if call.facts.get("editable") and call.checkout.get("url") == component.source.repo
    ]
    assert install.facts["config_settings"] == ["editable_mode=compat"]
    assert install.checkout["head"] == component.source.ref
    assert install.env["GPU_ARCHS"].split(";") == list(component.archs)
