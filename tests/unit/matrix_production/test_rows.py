"""What every production image has in common: the failures of the past that its text rules out."""

import re

import pytest

from rocmimg.matrix import Selection, load, parse_set
from rocmimg.plan import make_plan
from rocmimg.render import render

from .conftest import ROOT, stage

SGLANG = [f"rocm{version}-{arch}" for version in (700, 720, 724, 1000) for arch in ("gfx942", "gfx950")]
SGLANG += ["rocm1000-gfx1250"]
CELLS = [*SGLANG, *(f"{cell}-srt" for cell in SGLANG), "vllm-base-all", "vllm-all"]


def instructions(text):
    return re.split(r"\n(?=[A-Z]+ )", text.replace("\\\n", " "))


def test_these_are_the_rows(dockerfiles):
    assert sorted(dockerfiles) == sorted(CELLS)


@pytest.fixture(scope="module")
def behind_a_proxy():
    """Every cell's Dockerfile with a network setting."""
    matrix = load(
        ROOT / "images.yaml",
        sets=[parse_set("network.http_proxy=http://proxy:3128")],
        selection=Selection(ids=tuple(CELLS)),
    )
    return {cell.id: render(matrix, cell) for cell in matrix.cells}


@pytest.mark.parametrize("cell", CELLS)
class TestEveryCell:
    def test_names_no_gpu_but_its_own(self, cell, dockerfiles, production):
        assert set(re.findall(r"gfx[0-9]+[a-z]?", dockerfiles[cell].text)) <= set(production.cell(cell).archs)

    def test_constrains_pip_before_any_component(self, cell, dockerfiles):
        for name, word in (("base", "ARG "), ("toolchain", "    "), ("final", "ARG ")):
            assert f"\n{word}PIP_CONSTRAINT=/etc/rocmimg/constraints.txt\n" in stage(dockerfiles[cell], name)

    def test_its_lines_fit_a_screen_and_hold_one_assignment(self, cell, dockerfiles):
        for line in dockerfiles[cell].text.splitlines():
            assert len(line) <= 120, line
            assert not re.search(r"(?<![\w-])[A-Z][A-Z0-9_]+=\S* [A-Z][A-Z0-9_]+=", line), line
            assert line != "ENV \\"

    def test_a_step_that_reaches_the_network_has_its_settings(self, cell, behind_a_proxy):
        for line in instructions(behind_a_proxy[cell].text):
            fetches = re.search(
                r"apt-get|curl |fetch\.sh|pip (install|download)(?!.* --no-index)|cargo|maturin|rustup", line
            )
            if line.startswith("RUN") and fetches:
                assert ". /run/rocmimg/network/env" in line, line

    def test_every_editable_install_is_compat(self, cell, dockerfiles):
        for line in instructions(dockerfiles[cell].text):
            assert ("--editable" in line or " -e " in line) == (
                "editable_mode=compat" in line and "pip install" in line
            )

    def test_puts_no_variable_where_only_a_shell_finds_it(self, cell, dockerfiles):
        assert not re.search(r"bashrc|/etc/environment|/etc/profile", dockerfiles[cell].text)

    def test_leaves_no_package_lists(self, cell, dockerfiles):
        for line in instructions(dockerfiles[cell].text):
            assert ("apt-get" in line and "update" in line) <= ("rm -rf /var/lib/apt/lists" in line), line

    def test_decides_nothing_in_the_shell(self, cell, dockerfiles, production):
        text = dockerfiles[cell].text
        assert not [flag for flag in production.catalogue.flags() if flag in text]
        assert not re.search(r"\bcase\b", text)
        assert set(re.findall(r"\bARG (\w+)", text)) == {"DEBIAN_FRONTEND", "PIP_CONSTRAINT"}

    def test_swallows_no_failure(self, cell, dockerfiles):
        assert "|| true" not in dockerfiles[cell].text

    def test_retries_what_it_fetches(self, cell, dockerfiles):
        assert "Acquire::Retries" in stage(dockerfiles[cell], "base")
        for line in instructions(dockerfiles[cell].text):
            assert not re.search(r"git (fetch|clone|submodule update)", line), "fetch.sh does that"
            assert line.count("curl --") == line.count("--retry-all-errors")

    def test_takes_no_toolchain_along(self, cell, dockerfiles):
        assert not re.search(r"/opt/rust|/usr/local/go", stage(dockerfiles[cell], "final"))

    def test_every_stage_is_used(self, cell, dockerfiles):
        names = [part.name for part in dockerfiles[cell].stages if part.name not in ("base", "final")]
        used = set(re.findall(r"from=([\w.-]+)|^FROM ([\w-]+) AS", dockerfiles[cell].text, re.MULTILINE))
        assert set(names) <= {name for pair in used for name in pair}

    def test_a_stage_is_defined_before_it_is_used(self, cell, dockerfiles):
        for index, part in enumerate(dockerfiles[cell].stages):
            before = {earlier.name for earlier in dockerfiles[cell].stages[:index]}
            assert set(re.findall(r"from=([\w.-]+)", part.text)) <= before
            assert set(part.uses) <= before


@pytest.mark.parametrize("cell", [cell for cell in SGLANG if "gfx1250" not in cell])
def test_aiter_is_compiled_for_the_cell_and_nothing_else(cell, dockerfiles, production):
    arch = production.cell(cell).arch
    text = stage(dockerfiles[cell], "aiter")
    build = next(line for line in instructions(text) if "setup.py build_ext --inplace" in line)
    assert build.split()[1:4] == [f"GPU_ARCHS={arch}", "AITER_USE_SYSTEM_TRITON=1", "PREBUILD_KERNELS=1"]


def test_gfx1250_has_an_aiter_of_its_own(dockerfiles):
    text = stage(dockerfiles["rocm1000-gfx1250"], "aiter")
    assert "a6d2b564fd671724a3720b8edf70e8d674e4d694" in text
    reverts = re.findall(r"revert=([0-9a-f]{40})", text)
    assert [commit[:9] for commit in reverts] == ["8d581370b", "79c11b677", "1ecb760a5", "e708f6c15"]
    assert "PREBUILD_KERNELS=1" not in text
    assert "ENABLE_CK=0" in stage(dockerfiles["rocm1000-gfx1250"], "final")


class TestLlvm:
    def test_off_leaves_no_trace(self, dockerfiles):
        assert not [
            cell for cell, rendered in dockerfiles.items() if re.search(r"HIP_CLANG_PATH|llvm-project", rendered.text)
        ]

    def test_on_aiter_is_compiled_with_it(self, changed):
        rendered = changed("rocm720-gfx942", "flags.BUILD_LLVM=true")
        text = stage(rendered, "aiter")
        assert "COPY --from=llvm /opt/llvm /opt/llvm" in text
        assert "ENV HIP_CLANG_PATH=/opt/llvm/bin" in text[: text.index("setup.py build_ext")]
        assert "ENV HIP_CLANG_PATH=/opt/llvm/bin" in stage(rendered, "final")

    def test_on_without_prebuilt_kernels_the_image_still_has_it_for_later(self, changed):
        rendered = changed("rocm720-gfx942", "flags.BUILD_LLVM=true", "flags.BUILD_AITER_ALL=false")
        assert "setup.py build_ext" not in stage(rendered, "aiter")
        assert "ENV HIP_CLANG_PATH=/opt/llvm/bin" in stage(rendered, "final")


class TestTorch:
    def test_an_upgrade_is_under_every_stage(self, dockerfiles):
        rendered = dockerfiles["rocm724-gfx942"]
        base = stage(rendered, "base")
        assert base.index("torch==2.11.0+rocm7.2") < base.index("PIP_CONSTRAINT")
        assert stage(rendered, "toolchain").count("FROM base AS") == 1
        assert all(part.uses[0] == "toolchain" for part in rendered.stages[2:-1])

    def test_a_replaced_triton_is_free_in_the_base_and_kept_from_its_install_on(self, dockerfiles):
        rendered = dockerfiles["rocm720-gfx942"]
        assert "constraints.py hold torch torchvision torchaudio\n" in stage(rendered, "base")
        final = stage(rendered, "final")
        order = [
            final.index(text)
            for text in ("pip uninstall --yes triton", "hold triton ", "requires_dist.py torch", "# aiter")
        ]
        assert order == sorted(order)

    def test_a_triton_of_the_base_is_kept(self, dockerfiles):
        assert "hold torch torchvision torchaudio triton " in stage(dockerfiles["rocm700-gfx942"], "base")

    def test_torch_from_source_is_in_those_stages_that_compile_against_it(self, dockerfiles):
        rendered = dockerfiles["vllm-base-all"]
        users = [part.name for part in rendered.stages if "from=pytorch" in part.text]
        assert users == ["torchvision", "torchaudio", "flash-attention", "aiter", "mori", "final"]


class TestSglang:
    @pytest.mark.parametrize(
        ("cell", "extras"),
        [
            ("rocm700-gfx942", ".[all_hip]"),
            ("rocm720-gfx950-srt", ".[srt_hip,diffusion_hip]"),
            ("rocm724-gfx942", ".[all_hip_torch2_11]"),
            ("rocm1000-gfx1250-srt", ".[srt_hip_torch2_11,diffusion_hip]"),
        ],
    )
    def test_extras_fit_the_torch(self, cell, extras, dockerfiles):
        assert f"--editable '{extras}'" in stage(dockerfiles[cell], "final")

    def test_its_kernels_and_gateway_have_its_pin(self, changed):
        rendered = changed("rocm720-gfx942", "components.sglang.ref=v9")
        assert rendered.text.count("sglang.git v9\n") == 1, "fetched once"
        assert "v0.5.17" not in rendered.text
        for name in ("sglang", "sgl-kernel", "sgl-gateway"):
            assert "COPY --from=sglang-source /sgl-workspace/sglang" in stage(rendered, name)

    def test_all_three_come_from_a_local_checkout(self, production, tmp_path):

        (tmp_path / "sglang").mkdir()
        (tmp_path / "sglang/file").write_text("x")
        cell = "rocm720-gfx942"
        local = parse_set(f"components.sglang.source=local:{tmp_path}/sglang")
        matrix = load(production.path, sets=[local], selection=Selection(ids=(cell,)))
        image = make_plan(matrix, [cell])[cell]
        assert len(re.findall(r"^COPY sources/\S+ /sgl-workspace/sglang$", image.dockerfile, re.MULTILINE)) == 3
        assert "sgl-project" not in image.dockerfile
        assert {"source of sglang", "source of sgl-kernel", "source of sgl-gateway"} <= set(image.named_inputs)
        assert len([file for file in image.context if file.path.startswith("sources/")]) == 1, "travels once"

    def test_a_nightlys_version_reaches_nothing_else(self, changed):
        text = changed("rocm720-gfx942", "components.sglang.options.version=0.5.18.dev1").text
        assert text.count("SCM_PRETEND") == 1
        assert "SETUPTOOLS_SCM_PRETEND_VERSION_FOR_SGLANG=0.5.18.dev1" in text


@pytest.mark.parametrize(("target", "name"), [("rocm720-gfx942", "sglang"), ("vllm-all", "vllm")])
def test_one_value_names_the_image_and_the_framework(target, name, production, changed):
    def of(matrix):
        cell = matrix.cell(target)
        return next(c.source.ref for c in cell.components if c.name == name), cell.tags[0].partition(":")[2]

    ref, tag = of(production)
    assert tag.startswith(ref)
    other = load(ROOT / "images.yaml", sets=[parse_set("version=v9.9.9")], selection=Selection(ids=(target,)))
    ref, tag = of(other)
    assert (ref, tag.partition("-")[0]) == ("v9.9.9", "v9.9.9")


def test_production_rows_say_nothing_of_one_network(production):
    assert {cell.config.network.engine_mode for cell in production.cells} == {"default"}


def test_a_release_of_vllm_is_no_nightly(production):
    assert production.cell("vllm-all").aliases == ()


class TestVllm:
    def test_the_image_starts_from_the_base_line(self, production):
        images = make_plan(production, ["vllm-all"]).images
        assert [image.id for image in images] == ["vllm-base-all", "vllm-all"]

    def test_every_component_of_the_base_line_is_a_wheel_of_its_own_stage(self, production, dockerfiles):
        for component in production.cell("vllm-base-all").components:
            if component.module and not component.recipe.in_base_stage:
                assert "/wheels" in stage(dockerfiles["vllm-base-all"], component.name)
                assert f"from={component.name},source=/wheels" in stage(dockerfiles["vllm-base-all"], "final")

    def test_components_are_compiled_for_the_gpus_that_they_support(self, dockerfiles):
        rendered = dockerfiles["vllm-base-all"]
        assert "GPU_ARCHS='gfx90a;gfx942;gfx950'" in stage(rendered, "flash-attention")
        assert "GPU_ARCHS='gfx942;gfx950'" in stage(rendered, "aiter")
        assert "gfx1201" in stage(rendered, "pytorch")


def test_a_dependency_that_brings_cuda_fails_the_build(dockerfiles):
    for rendered in dockerfiles.values():
        assert "constraints.py check" in stage(rendered, "final")


class TestExamples:
    @pytest.mark.parametrize("name", ["sglang-v0.5.10", "pytorch-training"])
    def test_they_render_with_the_templates_beside_them(self, name):
        matrix = load(ROOT / "examples" / name / "images.yaml")
        for image in make_plan(matrix, [cell.id for cell in matrix.cells]).images:
            assert image.dockerfile.startswith(f"# {image.id}:")

    def test_v0_5_10_has_its_four_images_and_the_install_that_it_lacked(self):
        matrix = load(ROOT / "examples/sglang-v0.5.10/images.yaml")
        tags = {cell.tags[0] for cell in matrix.cells}
        suffixes = ("rocm700-mi30x", "rocm700-mi35x", "rocm720-mi30x", "rocm720-mi35x")
        assert tags == {f"lmsysorg/sglang:v0.5.10-{suffix}" for suffix in suffixes}
        for image in make_plan(matrix, [cell.id for cell in matrix.cells]).images:
            assert "aiter.git v0.1.11.post1\n" in image.dockerfile
            assert image.dockerfile.count("editable_mode=compat --editable") == 2

    def test_a_project_of_its_own_brings_recipe_and_blocks(self):
        matrix = load(ROOT / "examples/pytorch-training/images.yaml")
        image = make_plan(matrix, ["training-gfx942"])["training-gfx942"]
        assert "RUN useradd --create-home" in image.dockerfile
        assert "sources/trainer/trainer/__main__.py" in {file.path for file in image.context}
        assert image.dockerfile.rstrip().endswith('CMD ["python3", "-m", "trainer"]')


def test_a_build_adds_caches_and_stays_readable(production):
    """What the engine gets: every step that compiles or fetches has its caches, no line is longer than others'."""
    for cell in production.cells:
        plan = make_plan(production, [cell.id], rootfs=False)[cell.id]
        text, _ = plan.build_files(caches=True)
        assert max(map(len, text.splitlines())) <= 120
        for step in re.findall(r"^RUN .*$", text.replace("\\\n", ""), re.MULTILINE):
            if re.search(r"cmake --build|\bmake |bdist_wheel|build_ext|build_rust|maturin build|pip wheel", step):
                assert ". /run/rocmimg/compilers.sh ccache" in step, f"{cell.id}: {step}"
            if "fetch.sh" in step:
                assert ".git,target=/run/rocmimg/git" in step
