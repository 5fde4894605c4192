"""Edges of single checks that no image of the lab has."""

import pytest

from rocmimg.checks.suite.check_amdgpu_ids import check_amdgpu_ids
from rocmimg.checks.suite.check_arch_code import check_arch_code, check_prebuilt
from rocmimg.checks.suite.check_cuda import check_cuda_distributions, check_cuda_libraries, check_torch_build
from rocmimg.checks.suite.check_devices import check_device_access
from rocmimg.checks.suite.check_environment_policy import check_arch_variables, check_build_variables
from rocmimg.checks.suite.check_import import check_capabilities, check_import
from rocmimg.checks.suite.check_interpreter import check_interpreter
from rocmimg.checks.suite.check_loads import check_missing_libraries, check_unbound_symbols
from rocmimg.checks.suite.check_origin import check_origin
from rocmimg.checks.suite.check_rocm_libraries import check_duplicate_libraries, check_vendored_hip
from rocmimg.checks.suite.check_runtime import check_labels
from rocmimg.checks.suite.check_shells import check_shell_variables
from rocmimg.checks.suite.check_size import check_leftovers
from rocmimg.checks.suite.check_symbol_versions import check_symbol_versions
from rocmimg.checks.suite.check_versions import check_pins, check_version_stamp

SHA = "6520ace8227ffe2728148d5f3b9872a870b0a560"


def shared(path, owner="system", archs=None, **facts):
    facts = {"needed": [], "versions_needed": [], "build_id": "", **facts}
    return {"path": path, "owner": owner, "kind": "shared object", "archs": archs or {}, "bytes": 1, **facts}


def origin(found, cwd="/w", own_env=True, error="", locations=()):
    return {
        "cwd": cwd,
        "own_env": own_env,
        "modules": {"aiter": {"origin": found, "locations": list(locations), "error": error}},
    }


def imported(error="", **facts):
    return {"error": error, "trace": "", "seconds": 0.1, "missing": [], **facts}


@pytest.mark.parametrize(
    ("archs", "status"),
    [({"gfx942": 1}, "passed"), ({"gfx9-4-generic": 1}, "passed"), ({"gfx942": 1, "gfx11-generic": 1}, "passed"),
     ({"gfx950": 1}, "failed"), ({"gfx942": 1, "gfx950": 1}, "failed"), ({"gfx11-generic": 1}, "failed")],
)  # fmt: skip
def test_code_must_be_for_the_archs_and_no_others(verdict, archs, status):
    objects = [shared("/w/aiter/a.so", "aiter", archs)]
    assert verdict(check_arch_code, files={"objects": objects})[0] == status


def test_code_of_other_packages_is_not_the_components(verdict):
    files = {"objects": [shared("/site/torch/lib/a.so", "torch", {"gfx90a": 1, "gfx942": 1})]}
    assert verdict(check_arch_code, files=files)[0] == "not-applicable"


def test_code_that_cannot_be_read_is_not_proven(verdict):
    unreadable = [{"path": "/w/aiter/a.so", "error": "zstd, and there is no libzstd.so.1"}]
    status, reason = verdict(check_arch_code, files={"unreadable": unreadable})
    assert status == "not-run"
    assert "libzstd" in reason


def test_kernels_that_are_left_to_the_first_use_need_not_be_there(verdict):
    assert verdict(check_prebuilt)[0] == "failed"
    assert verdict(check_prebuilt, component={"prebuilt": False})[0] == "not-applicable"


@pytest.mark.parametrize(
    ("name", "status"),
    [("nvidia-cublas", "failed"), ("nvidia_cuda_runtime_cu12", "failed"), ("cuda-bindings", "failed"),
     ("cufile-python", "failed"), ("nvidia-ml-py", "passed"), ("cuda-utils-of-somebody", "passed")],
)  # fmt: skip
def test_distributions_of_cuda_are_told_by_name(verdict, name, status):
    distributions = [{"name": name, "version": "1"}]
    assert verdict(check_cuda_distributions, distributions=distributions)[0] == status


def test_a_backend_for_nvidia_machines_is_no_cuda_build(verdict):
    objects = [shared("/site/triton/backends/nvidia/lib/libcupti.so", "triton", needed=["libcuda.so.1"])]
    assert verdict(check_cuda_libraries, files={"objects": objects})[0] == "passed"


@pytest.mark.parametrize(
    ("version", "facts", "torch", "status"),
    [("2.9.1+rocm7.2", {"hip": "7.2", "cuda": None}, "rocm", "passed"),
     ("2.14.0", {"hip": None, "cuda": None}, "rocm", "failed"),
     ("2.14.0", {"hip": None, "cuda": None}, "cpu", "not-applicable"),
     ("2.14.0+cu130", {"hip": None, "cuda": "13.0"}, "cpu", "failed")],
)  # fmt: skip
def test_the_wanted_torch(verdict, version, facts, torch, status):
    distributions = [{"name": "torch", "version": version}]
    imports = {"torch": imported(**facts)}
    planned = {"torch": torch}
    assert verdict(check_torch_build, planned=planned, distributions=distributions, imports=imports)[0] == status


def test_a_declared_variable_is_the_targets_own_decision(verdict):
    env = {"MAX_JOBS": "8"}
    assert verdict(check_build_variables, detail={"env": env})[0] == "failed"
    assert verdict(check_build_variables, detail={"env": env}, planned={"env": env})[0] == "passed"


def test_a_declared_arch_list_of_other_gpus_is_wrong_all_the_same(verdict):
    env = {"PYTORCH_ROCM_ARCH": "gfx942;gfx950;gfx1250"}
    status, reason = verdict(check_arch_variables, detail={"env": env}, planned={"env": env})
    assert status == "failed"
    assert "gfx1250, gfx950" in reason


def test_an_import_that_needs_a_gpu_is_not_proven_without_one(verdict):
    broken = {"aiter": imported("RuntimeError: no HIP GPUs are available")}
    status, reason = verdict(check_import, imports=broken)
    assert status == "not-run"
    assert reason.startswith("no AMD GPU")
    assert verdict(check_import, component={"import_needs_gpu": False}, imports=broken)[0] == "failed"
    assert verdict(check_import, imports={"aiter": imported()})[0] == "passed"


def test_a_missing_module_is_not_the_missing_gpu(verdict):
    status, reason = verdict(check_import, imports={"aiter": imported("ModuleNotFoundError: No module named 'einops'")})
    assert status == "failed"
    assert "einops" in reason


def test_names_of_a_module_that_was_not_imported_are_not_proven(verdict):
    wanted = {"requires": ("aiter.ops.rmsnorm",)}
    assert verdict(check_capabilities, component=wanted, imports={"aiter": imported("ImportError: x")})[0] == "not-run"
    missing = {"aiter": imported(missing=["aiter.ops.rmsnorm"])}
    assert verdict(check_capabilities, component=wanted, imports=missing)[0] == "failed"


def test_a_probe_that_did_not_run_proves_nothing(verdict):
    assert verdict(check_interpreter)[0] == "passed"
    status, reason = verdict(check_origin, origins={"error": "RuntimeError: x"})
    assert (status, reason) == ("not-run", "the probe found no origins: RuntimeError: x")


def test_pythonpath_does_not_hide_a_namespace_package(verdict):
    found = [origin("/w/aiter/aiter/__init__.py"), origin(None, own_env=False, locations=["/w/aiter"])]
    status, reason = verdict(check_origin, origins=found)
    assert status == "failed"
    assert "without PYTHONPATH" in reason


def test_a_missing_library_and_a_missing_symbol_are_two_things(verdict):
    missing = [{"path": "/w/a.so", "error": "libx.so.4: cannot open shared object file: No such file or directory"}]
    unbound = [{"path": "/w/a.so", "error": "/w/a.so: undefined symbol: _ZN3c10"}]
    crash = [{"path": "/w/a.so", "error": "loading it ends the process with signal 11"}]
    assert verdict(check_missing_libraries, loads=missing)[0] == "failed"
    assert verdict(check_unbound_symbols, loads=missing)[0] == "passed"
    assert verdict(check_missing_libraries, loads=unbound)[0] == "passed"
    assert verdict(check_unbound_symbols, loads=unbound)[0] == "failed"
    assert verdict(check_unbound_symbols, loads=crash)[0] == "failed"


def test_one_library_under_two_names_is_one_library(verdict):
    imports = {"torch": imported()}
    one = [["/opt/rocm/lib/libamd_smi.so.26", "00:1:7"], ["/site/torch/lib/libamd_smi.so", "00:1:7"]]
    two = [["/opt/rocm/lib/librocblas.so.5", "00:1:7"], ["/site/torch/lib/librocblas-1a2b3c4d.so", "00:1:8"]]
    assert verdict(check_duplicate_libraries, imports=imports, maps=one)[0] == "passed"
    assert verdict(check_duplicate_libraries, imports=imports, maps=two)[0] == "failed"


def test_the_same_build_of_the_hip_runtime_twice_is_right(verdict):
    def objects(other):
        return {"objects": [shared("/site/torch/lib/libamdhip64.so", "torch", build_id="aa"),
                            shared("/opt/rocm/lib/libamdhip64.so.7", "opt/rocm", build_id=other)]}  # fmt: skip

    assert verdict(check_vendored_hip, files=objects("aa"))[0] == "passed"
    assert verdict(check_vendored_hip, files=objects("bb"))[0] == "failed"


def test_a_libdrm_with_a_table_of_its_own_needs_no_file(verdict):
    def library(names):
        return {
            "objects": [
                shared("/lib/libdrm_amdgpu.so.1", amdgpu_ids=["/usr/share/libdrm/amdgpu.ids"], amdgpu_names=names)
            ]
        }

    assert verdict(check_amdgpu_ids, files=library(True))[0] == "passed"
    assert verdict(check_amdgpu_ids, files=library(False))[0] == "failed"
    assert verdict(check_amdgpu_ids, planned={"archs": ("gfx1250",)}, files=library(False))[0] == "not-applicable"


def test_labels_of_an_older_plan_are_told(verdict):
    detail = {"labels": {"io.rocmimg.plan": "sha256:" + "a" * 64}}
    status, reason = verdict(check_labels, detail=detail, planned={"digest": "sha256:" + "b" * 64})
    assert status == "failed"
    assert "images.yaml is of plan" in reason


def test_another_commit_of_the_recipe_is_the_same_image(verdict):
    planned = {"labels": {"org.opencontainers.image.revision": "b" * 40}}
    detail = {"labels": {"org.opencontainers.image.revision": "a" * 40}}
    assert verdict(check_labels, detail=detail, planned=planned)[0] == "passed"


def test_a_path_that_only_login_shells_have(verdict):
    found = {"env": {"LD_LIBRARY_PATH": "/a"}, "interactive": {"LD_LIBRARY_PATH": "/a:/opt/ucx/lib", "PATH": "/x"}}
    status, reason = verdict(check_shell_variables, surroundings=found)
    assert status == "failed"
    assert "/opt/ucx/lib" in reason
    assert verdict(check_shell_variables, surroundings={"login": {"PS1": "$ "}})[0] == "passed"
    assert verdict(check_shell_variables, surroundings={"interactive": None})[0] == "not-run"


def test_a_checkout_may_keep_its_history(verdict):
    left = [{"kind": "git history", "bytes": 100 << 20, "paths": ["/w/aiter/.git"]}]
    assert verdict(check_leftovers, files={"leftovers": left})[0] == "passed"
    assert verdict(check_leftovers, files={"leftovers": [{**left[0], "bytes": 300 << 20}]})[0] == "failed"


def test_versions_are_compared_as_numbers(verdict):
    libc = shared("/lib/libc.so.6", versions_defined=["GLIBC_2.9", "GLIBC_2.35"])
    needs = [shared("/site/a.so", "a", versions_needed=["GLIBC_2.10", "GLIBC_PRIVATE"])]
    assert verdict(check_symbol_versions, files={"objects": [libc, *needs]})[0] == "passed"
    newer = shared("/site/b.so", "b", versions_needed=["GLIBC_2.38"])
    assert verdict(check_symbol_versions, files={"objects": [libc, newer]})[0] == "failed"
    assert verdict(check_symbol_versions, files={"objects": [newer]})[0] == "not-run"


def test_a_pin_that_can_move_proves_nothing(verdict):
    git = {"aiter": {"head": SHA, "tag": ""}}
    assert verdict(check_pins, component={"ref": SHA}, git=git)[0] == "passed"
    status, reason = verdict(check_pins, component={"ref": "v0.1.12"}, git=git)
    assert status == "not-run"
    assert "lock it" in reason
    assert verdict(check_pins, component={"ref": "a" * 40}, git=git)[0] == "failed"


@pytest.mark.parametrize(
    ("version", "tag", "status"),
    [("0.1.12", "v0.1.12", "passed"), ("0.1.12.post1", "v0.1.12-post1", "passed"), ("0.5.10", "v0.1.12", "failed"),
     ("0.1.13.dev4+g6520ace82", "", "passed"), ("0.1.13.dev4+gdeadbeef1", "", "failed"), ("1.0", "nightly", "passed")],
)  # fmt: skip
def test_a_version_must_be_that_of_the_checkout(verdict, version, tag, status):
    distributions = [{"name": "amd-aiter", "version": version, "checkout": "/w/aiter"}]
    git = {"aiter": {"head": SHA, "tag": tag}}
    assert verdict(check_version_stamp, distributions=distributions, git=git)[0] == status


def test_a_device_that_the_user_may_not_open(verdict):
    assert verdict(check_device_access, surroundings={"kfd": True})[0] == "passed"
    assert verdict(check_device_access, surroundings={"kfd": False})[0] == "failed"
