"""Released frameworks against AITER's releases; every expectation was read in the sources by hand.

``ROCMIMG_TEST_AITER`` names AITER's repository, a path or an address. Wheels come from the package index and are kept
in the cache; vLLM's are some 400 MB, so they are fetched only with ``ROCMIMG_TEST_LARGE=1``.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from rocmimg.contract.check import Checker
from rocmimg.contract.stores import parse_source
from rocmimg.paths import cache_dir

pytestmark = pytest.mark.download


@pytest.fixture(scope="module")
def repository() -> str:
    place = os.environ.get("ROCMIMG_TEST_AITER")
    if not place:
        pytest.skip("ROCMIMG_TEST_AITER names no AITER repository")
    return place


def wheel(project: str, version: str) -> str:
    folder = cache_dir() / "test-wheels"
    found = next(folder.glob(f"{project}-{version}-*.whl"), None)
    if found is not None:
        return str(found)
    if project == "vllm" and not os.environ.get("ROCMIMG_TEST_LARGE"):
        pytest.skip(f"{project} {version} is not in the cache, and ROCMIMG_TEST_LARGE is not set")
    folder.mkdir(parents=True, exist_ok=True)
    words = ["download", "--quiet", "--no-deps", "--only-binary", ":all:", "--dest", str(folder)]
    done = subprocess.run(
        [sys.executable, "-m", "pip", *words, f"{project}=={version}"], capture_output=True, text=True, check=False
    )
    if done.returncode:
        pytest.skip(f"cannot download {project} {version}: {done.stderr.strip().splitlines()[-1]}")
    return str(next(folder.glob(f"{project}-{version}-*.whl")))


def contract(framework: str, source: str):
    with Checker() as checker:
        return checker.check(parse_source(framework), "aiter", parse_source(source))


# The pins are those of the projects' own image recipes at these releases.
MADE_FOR = [
    ("sglang", "0.5.9", "v0.1.10.post3", 200),
    ("sglang", "0.5.10", "v0.1.11.post1", 200),
    ("sglang", "0.5.10.post1", "a6bb499375849eec45d68c5ccaebc8865fd422c0", 200),
    ("vllm", "0.19.0", "v0.1.10.post3", 140),
]


@pytest.mark.parametrize(("project", "version", "pin", "at_least"), MADE_FOR)
def test_against_the_aiter_it_was_made_for_nothing_is_found(repository, project, version, pin, at_least):
    found = contract(wheel(project, version), f"{repository}@{pin}")
    assert found.findings == ()
    assert found.uses > at_least
    assert found.unknown == 0
    assert found.resolved + found.ambiguous == found.uses


def test_a_release_with_every_kind_of_guard_has_neither_error_nor_warning(repository):
    """0.5.17 and the AITER of its recipe. Two names are made at run time; one fallback is for releases long gone."""
    found = contract(wheel("sglang", "0.5.17"), f"{repository}@c16d44b93a528b2a4bfd6d8d3409116d465872a9")
    assert [(f.target, f.verdict) for f in found.findings] == [
        ("aiter.ActivationType.*", "unknown"),
        ("aiter.QuantType.*", "unknown"),
        ("aiter.ops.fused_qk_norm_rope_cache_quant.fused_qk_rmsnorm", "dead-fallback"),
    ]


def test_vllm_0_20_0_loses_its_mla_fusion_silently_on_an_older_aiter(repository):
    """The release with vLLM #40386 mended: a test for the name switches the pass off, and nobody is told."""
    found = contract(wheel("vllm", "0.20.0"), f"{repository}@v0.1.10.post3")
    lost, runs = sorted(found.findings, key=lambda f: f.line)
    assert (lost.guard, lost.level) == ("swallowed", "info")
    assert "check_aiter_fused_qk_rmsnorm" in lost.message
    assert (runs.guard, runs.level) == ("reraised", "warning")
    assert lost.window.startswith("v0.1.12 to v0.1.13.post1")


def test_sglang_0_5_10_on_an_aiter_that_is_too_old(repository):
    found = contract(wheel("sglang", "0.5.10"), f"{repository}@v0.1.5")
    brief = {(f.target, f.file.removeprefix("sglang/srt/"), f.line): f for f in found.findings}
    errors = {f.target for f in found.at("error")}
    assert errors == {
        "aiter.ops.triton.fused_fp8_quant",
        "aiter.ops.triton.fused_kv_cache",
        "aiter.ops.triton.gemm",
    }
    cache = brief["aiter.ops.triton.fused_kv_cache", "layers/rocm_linear_utils.py", 2]
    assert (cache.when, cache.guard, cache.verdict) == ("import", "none", "missing-module")
    assert cache.window.startswith("from v0.1.6.post2 on")
    swiglu = brief["aiter.ActivationType.Swiglu", "layers/quantization/mxfp4.py", 860]
    assert (swiglu.when, swiglu.verdict, swiglu.level) == ("lazy", "missing-name", "warning")
    rope = brief["aiter.fused_qk_norm_mrope_3d_cache_pts_quant_shuffle", "models/qwen3.py", 47]
    assert (rope.guard, rope.level) == ("swallowed", "info")


@pytest.mark.parametrize(
    ("pin", "target", "line", "message", "fits"),
    [
        # 0.5.10 passes eight tensors; the function has seven parameters up to v0.1.7.post3.
        ("v0.1.7", "aiter.mla_reduce_v1", 607, "takes 7 positional arguments, 8 are given", "from v0.1.7.post4 on"),
        # A parameter was put in before the one that 0.5.10 names, so the same place is filled twice.
        ("v0.1.9", "aiter.get_mla_metadata_v1", 354, "'kv_granularity' is given twice", "from v0.1.10.post2 on"),
    ],
)
def test_sglang_0_5_10_calls_that_changed(repository, pin, target, line, message, fits):
    found = contract(wheel("sglang", "0.5.10"), f"{repository}@{pin}")
    (call,) = [f for f in found.findings if f.target == target and f.line == line]
    assert (call.verdict, call.level) == ("bad-argument", "warning")
    assert message in call.message
    assert call.window.startswith(fits)


def test_the_capability_of_vllm_40386(repository):
    with Checker() as checker:
        found = checker.capability(
            "aiter.ops.fused_qk_norm_rope_cache_quant.fused_qk_rmsnorm", parse_source(repository)
        )
    assert found.window.spans() == [("v0.1.12", "v0.1.13.post1")]


def test_the_crash_of_vllm_40386_is_seen_from_the_pins(repository, tmp_path):
    use = "from aiter.ops.fused_qk_norm_rope_cache_quant import fused_qk_rmsnorm\n"
    package = Path(tmp_path / "vllm")
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "fusion_pass.py").write_text(use)
    old = contract(str(tmp_path), f"{repository}@v0.1.10.post3").findings
    new = contract(str(tmp_path), f"{repository}@v0.1.14").findings
    assert contract(str(tmp_path), f"{repository}@v0.1.13.post1").findings == ()
    assert [(f.level, f.verdict) for f in (*old, *new)] == [("error", "missing-name")] * 2
    assert new[0].nearest == "aiter.ops.fused_qk_rmsnorm_group_quant.fused_qk_rmsnorm (with other parameters)"
