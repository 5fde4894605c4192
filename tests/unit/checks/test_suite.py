"""Edges of single checks that no image of the lab has."""

from types import SimpleNamespace

import pytest

from rocmimg.checks.api import Image
from rocmimg.checks.suite.check_amdgpu_ids import check_amdgpu_ids
from rocmimg.checks.suite.check_arch_code import check_arch_code, check_prebuilt, check_tensile
from rocmimg.checks.suite.check_backends import check_backends
from rocmimg.checks.suite.check_cuda import check_cuda_distributions, check_cuda_libraries, check_torch_build
from rocmimg.checks.suite.check_devices import check_device_access
from rocmimg.checks.suite.check_environment_policy import check_arch_variables, check_build_variables
from rocmimg.checks.suite.check_import import check_capabilities, check_import
from rocmimg.checks.suite.check_interpreter import check_interpreter, check_python_start
from rocmimg.checks.suite.check_layers import check_layer_bytes
from rocmimg.checks.suite.check_loads import check_missing_libraries, check_needed_libraries, check_unbound_symbols
from rocmimg.checks.suite.check_origin import check_origin
from rocmimg.checks.suite.check_readable import check_readable
from rocmimg.checks.suite.check_requirements import check_requirements
from rocmimg.checks.suite.check_restricted import check_restricted
from rocmimg.checks.suite.check_rocm_libraries import check_duplicate_libraries, check_vendored_hip
from rocmimg.checks.suite.check_runtime import check_labels
from rocmimg.checks.suite.check_shells import check_shell_variables
from rocmimg.checks.suite.check_size import check_leftovers
from rocmimg.checks.suite.check_starts import check_entry_module, check_starts
from rocmimg.checks.suite.check_symbol_versions import check_symbol_versions
from rocmimg.checks.suite.check_versions import check_pins, check_version_stamp
from rocmimg.checks.suite.gpu_errors import needs_gpu
from rocmimg.errors import EngineError

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


ASKED, UNASKED = {"planned": False, "archs_from": "--arch"}, {"planned": False, "archs_from": "its own code"}


def test_every_package_is_judged_but_only_components_may_have_no_other_archs(verdict):
    torch = shared("/site/torch/lib/a.so", "torch", {"gfx90a": 1, "gfx942": 1})
    wheel = shared("/site/wheel/a.so", "wheel", {"gfx90a": 1})
    assert verdict(check_arch_code, files={"objects": [torch]})[0] == "passed"
    status, reason = verdict(check_arch_code, files={"objects": [torch, wheel]})
    assert (status, reason) == ("failed", "wheel has no code for gfx942; it has gfx90a (/site/wheel/a.so)")
    assert verdict(check_arch_code, planned=UNASKED, files={"objects": [torch, wheel]})[0] == "passed"
    spirv = shared("/site/wheel/a.so", "wheel", {"amdgcnspirv": 1})
    assert verdict(check_arch_code, files={"objects": [torch, spirv]})[0] == "passed"


def test_an_image_without_any_code_for_the_arch_is_told_once(verdict):
    objects = [
        shared(f"/usr/lib/{name}.so", "system", {"gfx1100": 1, "gfx803": 2}) for name in ("libggml-hip", "librocblas")
    ]
    status, reason = verdict(check_arch_code, planned=ASKED, files={"objects": objects})
    assert (status, reason) == (
        "failed", "there is no GPU code for gfx942 anywhere in the image; it has gfx1100, gfx803",
    )  # fmt: skip
    assert verdict(check_arch_code, planned=UNASKED, files={"objects": objects})[0] == "passed"
    assert verdict(check_arch_code, planned=ASKED)[0] == "failed"
    assert verdict(check_arch_code, planned=UNASKED)[0] == "not-applicable"
    assert verdict(check_arch_code)[0] == "not-applicable"


def test_code_in_an_archive_that_was_not_read_is_not_proven(verdict):
    unread = {"path": "/w/kernels.tar.zst", "kind": "archive", "bytes": 1, "archs": [], "why": "zstd"}
    assert verdict(check_arch_code, files={"unread": [unread]})[0] == "not-run"
    assert verdict(check_arch_code, files={"unread": [{**unread, "archs": ["gfx942"]}]})[0] == "passed"


def blas(name, *folders):
    found = [{"path": f"/lib/{name}/{path}", "layout": "flat", "archs": archs, "files": 1} for path, archs in folders]
    return {"library": f"/lib/lib{name}.so.1", "path": f"/lib/lib{name}.so.1", "name": name, "folders": found}


@pytest.mark.parametrize(
    ("copies", "planned", "status"),
    [((), {}, "not-applicable"),
     ((blas("rocblas"),), {}, "failed"),
     ((blas("rocblas", ("library", ["gfx942"])), blas("hipblaslt")), {}, "failed"),
     ((blas("rocblas", ("library", ["gfx90a"])),), {}, "failed"),
     ((blas("rocblas", ("library", ["gfx90a"])),), UNASKED, "passed"),
     ((blas("rocblas", ("4.4.1/library", ["gfx942"])), blas("hipblaslt", ("library", ["gfx942"]))), {}, "passed"),
     ((blas("hipblaslt", ("library", ["gfx90a"])),), {"archs": ("gfx1030",)}, "passed"),
     ((blas("hipblaslt", ("library", ["gfx90a"])),), {"archs": ("gfx1201",)}, "failed")],
)  # fmt: skip
def test_each_copy_of_a_blas_library_needs_its_data(verdict, copies, planned, status):
    assert verdict(check_tensile, planned=planned, files={"blas": list(copies)})[0] == status


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
    distributions = [{"name": name, "version": "1", "path": "/site", "packages": []}]
    assert verdict(check_cuda_distributions, distributions=distributions)[0] == status


def test_a_distribution_of_python_alone_brings_no_cuda(verdict):
    one = {"name": "cuda-python", "version": "1", "path": "/site", "packages": ["cuda"]}
    assert verdict(check_cuda_distributions, distributions=[one])[0] == "passed"
    files = {"objects": [shared("/site/cuda/a.so", "cuda")]}
    assert verdict(check_cuda_distributions, distributions=[one], files=files)[0] == "failed"


def test_a_backend_for_nvidia_machines_is_no_cuda_build(verdict):
    def objects(*paths, needed="libcuda.so.1"):
        return {"objects": [shared(path, path.split("/")[3], needed=[needed]) for path in paths]}

    site = {"interpreter": {"site": ["/l/d-packages"]}}
    alone = objects("/l/d-packages/a/_C.so")
    assert verdict(check_cuda_libraries, **site, files=alone)[0] == "failed"
    assert (
        verdict(check_cuda_libraries, **site, files=objects("/l/d-packages/a/_C.so", needed="libc10_cuda.so"))[0]
        == "failed"
    )
    assert (
        verdict(check_cuda_libraries, **site, files=objects("/l/d-packages/triton/backends/nvidia/lib/a.so"))[0]
        == "passed"
    )
    both = {"objects": [*alone["objects"], shared("/l/d-packages/a/_C_rocm.so", "a", {"gfx942": 1})]}
    assert verdict(check_cuda_libraries, **site, files=both)[0] == "passed"


@pytest.mark.parametrize(
    ("names", "release", "status"),
    [(("rocm64", "rocm72"), "7.2.0", "passed"), (("rocm64", "rocm72"), "7.12.0", "failed"),
     (("rocm64", "rocm712"), "7.12.0-9999", "passed"), (("cuda118", "rocm72"), "7.0.1", "failed"),
     (("rocm72",), "7.0.1", "not-applicable"), (("cuda118", "cuda130"), "7.2", "not-applicable"),
     (("rocm64", "rocm72"), "", "not-run")],
)  # fmt: skip
def test_the_library_for_this_rocm_must_be_among_them(verdict, names, release, status):
    objects = [shared(f"/site/bnb/libbitsandbytes_{name}.so", "bnb") for name in names]
    host = SimpleNamespace(file=lambda _: SimpleNamespace(exists=bool(release), content_string=release))
    assert verdict(check_backends, host=host, files={"objects": objects})[0] == status


def distribution(name, version, *requires, python=""):
    return {
        "name": name, "version": version, "requires": list(requires), "requires_python": python, "path": "/site",
        "metadata": f"/site/{name}.dist-info/METADATA", "packages": [], "requires_written": len(requires),
    }  # fmt: skip


@pytest.mark.parametrize(
    ("requirement", "version", "says"),
    [("b==1.0", "1.0", ""), ("b>=2", "1.9", "requires b>=2, and B 1.9 is installed"),
     ("B-b>=1", "", "is not installed"), ("b>=2; python_version<'3'", "1", ""), ("nothing; extra=='all'", "1", ""),
     ("b>=1.0", "1.0+rocm7.2", ""), ("b>=1.0", "1.1.dev3+g1234567", ""), ("b", "unknown", ""),
     ("b>=1", "unknown", "and B unknown is installed"), ("b (>=1,<2)", "1.5", ""), ("b~=1.4", "1.9", ""),
     ("b >= 1 or so", "1", "not a requirement"), ("b!=1.5.*", "1.5.2", "B 1.5.2")],
)  # fmt: skip
def test_requirements_are_read_as_pip_reads_them(verdict, requirement, version, says):
    found = [distribution("a", "1", requirement), distribution("B", version)]
    status, reason = verdict(check_requirements, distributions=found)
    assert status == ("failed" if says else "passed")
    assert says in reason


def test_the_first_distribution_on_the_path_is_the_installed_one(verdict):
    found = [distribution("b", "2"), distribution("b", "1"), distribution("a", "1", "b>=2")]
    assert verdict(check_requirements, distributions=found)[0] == "passed"
    assert verdict(check_requirements, distributions=[distribution("a", "1", python=">=3.13")])[0] == "failed"
    assert verdict(check_requirements, distributions=[distribution("a", "1", python=">=3.9,<3.13")])[0] == "passed"
    assert verdict(check_requirements)[0] == "not-applicable"


def test_a_pin_on_a_build_of_a_night_is_told_and_no_fault(verdict, monkeypatch):
    told = {}
    monkeypatch.setattr(Image, "note", lambda _, **facts: told.update(facts))
    requires = "flydsl==0.3.3.dev903"
    found = [distribution("amd-aiter", "0.1", requires), distribution("flydsl", "0.3.3.dev903")]
    assert verdict(check_requirements, distributions=found)[0] == "passed"
    assert told["pinned_to_a_build_of_a_night"] == ["amd-aiter 0.1 requires flydsl==0.3.3.dev903"]
    told.clear()
    found = [distribution("a", "1", "b>=1.dev0", "c==1.0", "d @ https://x/d-1.dev1.whl"), distribution("b", "1")]
    found += [distribution("c", "1.0"), distribution("d", "1.dev1")]
    assert verdict(check_requirements, distributions=found)[0] == "passed"
    assert "pinned_to_a_build_of_a_night" not in told


def test_what_the_entry_point_names_must_be_there(verdict):
    assert verdict(check_starts)[0] == "passed"
    assert verdict(check_starts, entry={"argv": []})[0] == "not-applicable"
    status, reason = verdict(check_starts, entry={"argv": ["vllm"], "problem": "vllm is not on PATH (/bin)"})
    assert (status, reason) == ("failed", "`docker run` cannot start vllm: vllm is not on PATH (/bin)")
    missing = [{"library": "libx.so.1", "needed_by": "/app/serve"}]
    objects = [shared("/app/lib/libx.so.1", soname="libx.so.1")]
    status, reason = verdict(check_starts, entry={"path": "/app/serve", "missing": missing}, files={"objects": objects})
    assert "which lies in /app/lib, where the loader does not look" in reason


def test_the_entry_points_module_must_import(verdict):
    def entry(error="", module="serve.cli", **more):
        answer = {"error": error, "trace": "", "seconds": 0.1}
        return {"argv": ["serve"], "module": module, "attribute": "main", "import": answer, **more}

    assert verdict(check_entry_module, entry=entry())[0] == "passed"
    assert verdict(check_entry_module, entry=entry(module="", attribute=""))[0] == "not-applicable"
    assert verdict(check_entry_module, entry=entry("ModuleNotFoundError: No module named 'x'"))[0] == "failed"
    assert verdict(check_entry_module, entry=entry("RuntimeError: No HIP GPUs are available"))[0] == "not-run"
    assert verdict(check_entry_module, entry=entry("RuntimeError: the model is too big"))[0] == "failed"
    assert verdict(check_entry_module, entry=entry(problem="not on PATH"))[0] == "not-run"


def test_needed_libraries_of_programs_and_of_what_python_does_not_load(verdict):
    def needs(path, kind="shared object", **more):
        return {"objects": [{**shared(path, needed=["libx.so.1"], unresolved=["libx.so.1"], **more), "kind": kind}]}

    beside = {"elsewhere": {"libx.so.1": ["/app/libx.so.1"]}}
    assert verdict(check_needed_libraries, files=needs("/app/tool"))[0] == "failed"
    assert verdict(check_needed_libraries, files=needs("/app/tool", "program", **beside))[0] == "failed"
    assert verdict(check_needed_libraries, files=needs("/app/plugin.so", **beside))[0] == "passed"
    assert verdict(check_needed_libraries, files=needs("/usr/bin/tool", package="tool"))[0] == "not-applicable"
    assert (
        verdict(check_needed_libraries, files=needs("/site/a.so"), loads=[{"path": "/site/a.so", "error": ""}])[0]
        == "passed"
    )
    entry = {"missing": [{"needed_by": "/app/tool", "library": "libx.so.1"}]}
    assert verdict(check_needed_libraries, files=needs("/app/tool", "program"), entry=entry)[0] == "passed"


def test_a_backend_that_is_opened_on_request_is_a_note(verdict):
    error = "libhipblas.so.2: cannot open shared object file: No such file or directory"
    loads = [{"path": "/l/site-packages/bitsandbytes/libbitsandbytes_rocm62.so", "error": error}]
    assert verdict(check_missing_libraries, loads=loads)[0] == "passed"
    assert verdict(check_missing_libraries, loads=[{**loads[0], "path": "/l/site-packages/other/a.so"}])[0] == "failed"


def test_a_library_whose_package_loads_what_it_needs_first(verdict):
    path = "/l/site-packages/tilelang/lib/libtvm.so"
    loads = [{"path": path, "error": "libtvm_ffi.so: cannot open shared object file: No such file or directory"}]
    assert verdict(check_missing_libraries, loads=loads)[0] == "failed"
    assert verdict(check_missing_libraries, loads=loads, again=f'a word\n{{"{path}": ""}}\n')[0] == "passed"
    assert verdict(check_missing_libraries, loads=loads, again=f'{{"{path}": "still"}}')[0] == "failed"
    unbound = [{"path": path, "error": "undefined symbol: x"}]
    assert verdict(check_unbound_symbols, loads=unbound, again=f'{{"{path}": ""}}')[0] == "passed"


def test_an_adapter_to_a_torch_that_nobody_installed_is_a_note(verdict):
    loads = [{"path": "/site/a/_torch.so", "error": "libtorch.so: cannot open shared object file: No such file"}]
    assert verdict(check_missing_libraries, loads=loads)[0] == "passed"
    files = {"objects": [shared("/site/torch/lib/libtorch.so", "torch")]}
    assert verdict(check_missing_libraries, loads=loads, files=files)[0] == "failed"


def test_what_cannot_be_read_is_a_finding_and_costs_nothing_else(verdict):
    assert verdict(check_readable)[0] == "passed"
    assert verdict(check_readable, files={"unreadable": [{"path": "/a.so", "error": "cut off"}]})[0] == "failed"
    broken = [{"path": "/site/a.dist-info/METADATA", "error": "it is not UTF-8"}]
    assert verdict(check_readable, broken_metadata=broken)[0] == "failed"
    assert verdict(check_readable, imports={"error": "hangs: ended after 300 s"})[0] == "failed"


def test_python_that_speaks_at_start(verdict):
    assert verdict(check_python_start)[0] == "passed"
    said = {"error": "it writes to standard output: 'hello'", "start_files": [{"path": "/site/x.pth", "lines": []}]}
    assert verdict(check_python_start, startup=said)[0] == "failed"
    assert verdict(check_python_start, startup={"shadowed": [{"module": "json", "path": "/w/json.py"}]})[0] == "failed"


def test_layers_that_hold_what_is_gone_are_a_note_without_a_budget(verdict, monkeypatch):
    def gone():
        raise EngineError("no engine")

    monkeypatch.setattr("rocmimg.checks.suite.check_layers.connect", gone)
    history = [{"size": 2 << 30, "created_by": "RUN pip install torch"}]
    assert verdict(check_layer_bytes, history=history)[0] == "passed"
    assert verdict(check_layer_bytes, history=history, planned={"max_hidden_mib": 100})[0] == "failed"
    assert verdict(check_layer_bytes, history=history, planned={"max_hidden_mib": 2000})[0] == "passed"
    assert verdict(check_layer_bytes)[0] == "not-applicable"


def test_running_restricted_is_not_asked_by_default(verdict):
    status, reason = verdict(check_restricted)
    assert status == "not-applicable"
    assert reason.startswith("not asked")


def test_an_image_without_python_has_nothing_that_needs_it(verdict):
    gone = {"probe": {"kind": "no-python", "error": "there is none"}, "imports": {"error": "there is none"},
            "interpreter": {"error": "there is none"}, "startup": {"error": "there is none"}}  # fmt: skip
    for check in (check_import, check_python_start, check_torch_build):
        assert verdict(check, planned=UNASKED, **gone)[0] == "not-applicable"
    assert verdict(check_interpreter, planned=UNASKED, **gone)[0] == "not-applicable"


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
    family = {"aiter": imported(), "torchvision": imported("RuntimeError: operator torchvision::nms does not exist")}
    assert verdict(check_import, imports=family)[0] == "failed"
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
    entry = {"module": "serve", "import": {"error": "", "maps": two}}
    assert verdict(check_duplicate_libraries, entry=entry)[0] == "failed"
    assert verdict(check_duplicate_libraries, entry={**entry, "import": {"error": "", "maps": one}})[0] == "passed"
    assert (
        verdict(check_duplicate_libraries, entry={**entry, "import": {"error": "", "maps": []}})[0] == "not-applicable"
    )


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


def test_a_version_that_the_library_found_does_not_have(verdict):
    libc = shared("/lib/libc.so.6", package="libc6", versions_defined=["GLIBC_2.9", "GLIBC_2.35"])
    lost = [
        {"version": version, "library": "libc.so.6", "path": "/lib/libc.so.6"}
        for version in ("GLIBC_2.100", "GLIBC_2.38")
    ]
    newer = shared("/site/b.so", "b", versions_missing=lost)
    status, reason = verdict(check_symbol_versions, files={"objects": [libc, newer]})
    assert status == "failed"
    assert reason == "/site/b.so needs GLIBC_2.38, GLIBC_2.100 of libc.so.6; /lib/libc.so.6 ends at GLIBC_2.35"
    assert verdict(check_symbol_versions, files={"objects": [libc, {**newer, "versions_missing": []}]})[0] == "passed"
    assert verdict(check_symbol_versions, files={"objects": [libc]})[0] == "not-applicable"


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
     ("0.1.13.dev4+g6520ace82", "", "passed"), ("0.1.13.dev4+gdeadbeef1", "", "failed"), ("1.0", "nightly", "passed"),
     ("0.5.10+rocm7.2", "v0.5.10", "passed"), ("1.2.0rc1", "V1.2.0-RC1", "passed"),
     ("1.0.1", "2024-05-01-nightly", "passed"),
     ("0.1.13.dev4+G6520ACE82.rocm72", "", "passed"), ("7.2.0+git8900", "v7.2.0", "passed")],
)  # fmt: skip
def test_a_version_must_be_that_of_the_checkout(verdict, version, tag, status):
    distributions = [{"name": "amd-aiter", "version": version, "checkout": "/w/aiter"}]
    git = {"aiter": {"head": SHA, "tag": tag}}
    assert verdict(check_version_stamp, distributions=distributions, git=git)[0] == status


def test_a_device_that_the_user_may_not_open(verdict):
    assert verdict(check_device_access, surroundings={"kfd": True})[0] == "passed"
    assert verdict(check_device_access, surroundings={"kfd": False})[0] == "failed"


@pytest.mark.parametrize(
    ("name", "module", "says"),
    [
        ("nixl-cu12", "nixl", "passed"),
        ("nixl_cu12", "nixl", "passed"),
        ("nixl-cu12", "aiter", "failed"),
        ("cupy-cuda12x", "nixl", "failed"),
        ("nvidia-nccl-cu12", "nccl", "failed"),
    ],
)
def test_a_name_for_cuda_of_what_is_built_here_is_no_cuda(verdict, name, module, says):
    one = {"name": name, "version": "1.2.0", "path": "/site", "packages": []}
    assert verdict(check_cuda_distributions, component={"module": module}, distributions=[one])[0] == says


@pytest.mark.parametrize(
    ("version", "tag", "says"),
    [("1.0", "v1", "passed"), ("1", "v1.0.0", "passed"), ("0.1.20.post1", "v0.1.20.post1", "passed"),
     ("0.5.10", "v0.1.20", "failed"), ("1.0+rocm", "v1", "passed")],
)  # fmt: skip
def test_versions_are_compared_as_pep_440_says(verdict, version, tag, says):
    one = {"name": "amd-aiter", "version": version, "checkout": "/w/aiter", "path": "/w/aiter", "packages": []}
    git = {"aiter": {"head": "a" * 40, "tag": tag}}
    assert verdict(check_version_stamp, distributions=[one], git=git)[0] == says


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        ("KeyError: 'libamd_smi.so'", False),
        ("OSError: /opt/rocm/lib/librocm_smi64.so: cannot open shared object file: No such file or directory", False),
        ("ImportError: no GPU found", False),
        ("RuntimeError: No HIP GPUs are available", True),
        ("KeyError: 'rocminfo'", True),
        ("AmdSmiLibraryException: Error code: 34 | AMDSMI_STATUS_DRIVER_NOT_LOADED amdsmi driver not loaded", True),
    ],
)
def test_a_gpu_is_not_what_an_absent_library_lacks(error, expected):
    assert needs_gpu(error, "in amdsmi_interface") is expected


def test_a_library_with_an_executable_stack_has_its_own_cause(verdict, monkeypatch):
    said = "/s/libonnxruntime.so: cannot enable executable stack as shared object requires: Invalid argument"
    status, reason = verdict(check_unbound_symbols, loads=[{"path": "/s/libonnxruntime.so", "error": said}])
    assert status == "failed"
    assert "executable stack" in reason
