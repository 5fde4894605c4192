"""What recipes must do because of what the components' own build files do."""

import re

import pytest

from rocmimg.render import render

from .conftest import stage

HEAD = """\
targets:
  t:
    gpu_archs: [gfx942]
    base: rocm/pytorch:latest
    workdir: /w
    {flags}
    components:
      rust: {{}}
      sglang: {{repo: https://host/sglang.git, ref: v1}}
      {component}
"""


@pytest.fixture
def one(load_matrix):
    """A component beside SGLang, rendered."""

    def read(component, *sets, flags="flags: {}"):
        matrix = load_matrix(HEAD.format(component=component, flags=flags), *sets)
        return matrix.cells[0], render(matrix, matrix.cells[0])

    return read


@pytest.mark.parametrize(
    ("name", "switch"),
    [
        ("fast-hadamard-transform", "FAST_HADAMARD_TRANSFORM_FORCE_BUILD=TRUE"),
        ("flash-attention", "FLASH_ATTENTION_FORCE_BUILD=TRUE"),
    ],
)
def test_a_bdist_wheel_that_downloads_is_told_to_build(one, name, switch):
    _, rendered = one(f"{name}: {{repo: https://host/x.git, ref: v1}}")
    step = re.search(r"RUN [^\n]*(\\\n.*?)*bdist_wheel", stage(rendered, name))
    assert switch in step[0].split()


def test_no_projects_setup_py_reaches_an_index_unless_the_step_says_so(production):
    for cell in production.cells:
        for part in render(production, cell).stages:
            for step in re.split(r"\n(?=[A-Z#])", part.text.replace("\\\n", " ")):
                if re.search(r"\bsetup\w*\.py (build_ext|bdist_wheel)", step) and part.name not in NETWORKED:
                    assert "PIP_NO_INDEX=1" in step.split(), f"{cell.id} {part.name}"


NETWORKED = {"pytorch", "torchaudio", "vllm", "lmcache"}
"""Their CMake files download."""


def test_no_build_is_isolated(dockerfiles):
    for cell, rendered in dockerfiles.items():
        for step in re.split(r"\n(?=[A-Z#])", rendered.text.replace("\\\n", " ")):
            if "pip wheel" in step or "--editable" in step:
                assert "--no-build-isolation" in step, cell


@pytest.mark.parametrize(("extras", "word"), [("[]", "--editable . "), ("[a, b]", "--editable '.[a,b]' ")])
def test_extras(one, extras, word):
    _, rendered = one("", f"components.sglang.options.extras={extras}")
    assert word in stage(rendered, "final").replace("\\\n", "")


@pytest.mark.parametrize(("umbp", "built"), [("true", True), ("false", False)])
def test_a_part_that_setup_py_would_leave_out_is_looked_for(one, umbp, built):
    _, rendered = one(
        "mori: {repo: https://host/m.git, ref: v1}",
        f"components.mori.options.umbp={umbp}",
        flags="flags: {ENABLE_MORI: 1}",
    )
    text = stage(rendered, "mori")
    assert ("test -x python/mori/umbp_master" in text) == built
    assert f"BUILD_UMBP={'ON' if built else 'OFF'} " in text


def test_a_wheel_must_have_the_parts_that_its_row_names(dockerfiles):
    for cell, name, part in (
        ("rocm720-gfx942", "mori", "mori/cco/cco.cpython"),
        ("rocm720-gfx942", "nixl", "libplugin_UCX"),
        ("vllm-all", "nixl", "exporter_prometheus"),
    ):
        (loop,) = re.findall(r"for part in (.*?); do grep -F", stage(dockerfiles[cell], name))
        assert part in loop.split()
    assert "for part in" not in stage(dockerfiles["vllm-base-all"], "mori")


def test_what_compiles_or_is_loaded_at_run_time_is_in_the_image(production):
    """MoRI compiles against the verbs' headers; libaio's library has another package name in each Ubuntu release."""
    for cell in production.cells:
        names = {c.recipe.name: {*c.recipe.apt.runtime, *c.config.runtime_apt} for c in cell.components}
        assert "libibverbs-dev" in names.get("mori", {"libibverbs-dev"})
        assert names.get("nixl", {"libaio-dev"}) == {"libaio-dev"}


def test_the_distributions_programs_keep_its_own_ucx(dockerfiles):
    for cell, rendered in dockerfiles.items():
        final = stage(rendered, "final")
        assert not re.search(r"(LD_LIBRARY_PATH|ld\.so\.conf).*ucx|ucx.*ld\.so\.conf", final), cell
        if "nixl" in [part.name for part in rendered.stages]:
            assert "LDFLAGS=-Wl,-rpath,/opt/ucx/lib" in stage(rendered, "nixl")


def test_go_is_the_version_that_was_checked_and_downloads_no_other(dockerfiles):
    text = stage(dockerfiles["rocm720-gfx942"], "mooncake")
    assert "GOTOOLCHAIN=local" in text
    assert text.index("sha256sum -c") < text.index("dependencies.sh")


def test_go_and_rust_come_from_a_mirror_where_one_is_named(one):
    _, rendered = one(
        "mooncake: {repo: https://host/m.git, ref: v1}",
        "components.mooncake.options.go_url=http://mirror/go",
        "components.rust.options.server=http://mirror/rust",
        flags="flags: {BUILD_MOONCAKE: 1}",
    )
    assert "http://mirror/go/go1.25.9.linux-amd64.tar.gz" in stage(rendered, "mooncake")
    rust = stage(rendered, "rust")
    assert "http://mirror/rust/rustup/archive/" in rust
    assert "RUSTUP_DIST_SERVER=http://mirror/rust" in rust
    assert "go.dev" not in rendered.text
    assert "rust-lang.org" not in rendered.text
    _, plain = one("")
    assert "RUSTUP_DIST_SERVER" not in plain.text


def test_what_later_stages_of_vllms_file_read_is_in_its_images(production):
    for cell in ("vllm-base-all", "vllm-all"):
        base = production.cell(cell)
        env = {**(production.cell(base.base_cell).runtime_env if base.base_cell else {}), **base.runtime_env}
        assert {"PYTORCH_ROCM_ARCH", "PYTHON_VERSION"} <= env.keys()


@pytest.mark.parametrize(
    ("backend", "kernels", "says"),
    [("ck", True, ""), ("triton", False, "FLASH_ATTENTION_TRITON_AMD_ENABLE=TRUE")],
)
def test_flash_attention_without_gpu_code_is_not_expected_to_have_any(one, backend, kernels, says):
    cell, rendered = one(
        "flash-attention: {repo: https://host/f.git, ref: v1}", f"components.flash-attention.options.backend={backend}"
    )
    component = next(c for c in cell.components if c.name == "flash-attention")
    assert component.kernels == kernels
    assert says in stage(rendered, "flash-attention")


@pytest.mark.parametrize(
    ("value", "vendors"),
    [("none", {"ionic", "bnxt"}), ("all", {"ionic", "bnxt"}), ("ainic", {"ionic"}), ("bnxt", {"bnxt"})],
)
def test_network_cards(one, value, vendors):
    _, rendered = one("nic: {}", f"flags.NIC_BACKEND={value}")
    assert {vendor for vendor in ("ionic", "bnxt") if f"{vendor}-" in stage(rendered, "final")} == vendors


def test_the_publish_environment_has_no_constraint_unless_the_row_says_so(production):
    publish = {cell.target for cell in production.cells if "PIP_CONSTRAINT" in cell.runtime_env}
    assert publish == {"rocm724", "rocm1000"}, "those whose upstream image has it"
    for cell in production.cells:
        rendered = render(production, cell)
        assert "ENV PIP_CONSTRAINT" not in stage(rendered, "base")


def test_one_flag_for_several_recipes_is_declared_once(production):
    catalogue = production.catalogue
    for flag in ("BUILD_TRITON", "ENABLE_NIXL"):
        assert len([name for name in catalogue.names if flag in catalogue[name].flags]) == 1
        assert len(catalogue.declaring(flag)) > 1


def test_a_switch_that_no_recipe_declares(load_matrix, tmp_path):
    folder = tmp_path / "templates/components"
    folder.mkdir(parents=True)
    (folder / "mine.yaml").write_text("description: mine\nsources: [none]\nwhen: BUILD_MINE\n")
    with pytest.raises(Exception, match=r"mine.yaml:3: `when` names BUILD_MINE, which no recipe declares"):
        load_matrix(HEAD.format(component="mine: {}", flags="flags: {}"))


def test_hip_is_on_the_path_of_every_stage_where_the_base_leaves_it_out(dockerfiles):
    base = stage(dockerfiles["vllm-base-all"], "base")
    assert "PATH=/opt/rocm/llvm/bin:/opt/rocm/bin:$PATH" in base
    assert "ROCM_PATH=/opt/rocm" in base


def test_the_library_of_io_uring_is_where_mooncake_runs(dockerfiles):
    assert "liburing2" in stage(dockerfiles["rocm720-gfx942"], "final")


def test_shared_objects_of_every_component_are_checked_in_the_final_image(production, dockerfiles):
    for cell, rendered in dockerfiles.items():
        last = next(
            s
            for s in stage(rendered, "final").replace("\\\n", "").splitlines()
            if "check_linked.py /" in s or "xargs" in s
        )
        for component in production.cell(cell).components:
            if component.module and not component.recipe.in_base_stage:
                assert f" {component.module} " in last, f"{cell} {component.name}"
