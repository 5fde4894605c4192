"""What the Dockerfile of a cell says."""

import re

import pytest

from rocmimg.errors import ConfigError, TemplateError
from rocmimg.render import render

MATRIX = """
    targets:
      t:
        base: rocm/pytorch:latest
        gpu_archs: [{both: [gfx942, gfx950]}]
        workdir: /sgl-workspace
        protect: [torch]
        flags: {BUILD_AITER_ALL: true, BUILD_LLVM: false}
        components:
          llvm: {repo: https://example.org/llvm.git, ref: v1}
          aiter: {repo: https://example.org/aiter.git, ref: v0.1.11.post1}
"""


def steps(text):
    """Every instruction on one line."""
    return [re.sub(r" +", " ", step).strip() for step in re.split(r"\n(?=[A-Z#])", text.replace("\\\n", " "))]


@pytest.fixture
def dockerfile(load_matrix):
    def text(*sets, matrix=MATRIX):
        loaded = load_matrix(matrix, *sets)
        return render(loaded, loaded.cells[0]).text

    return text


class TestAiter:
    def test_all_kernels_are_built_for_exactly_the_cells_archs(self, dockerfile):
        text = dockerfile()
        (build,) = (step for step in steps(text) if "setup.py build_ext --inplace" in step)
        assert {"PREBUILD_KERNELS=1", "GPU_ARCHS='gfx942;gfx950'", "PIP_NO_INDEX=1"} <= set(build.split())
        assert "HIP_CLANG_PATH" not in text

    def test_with_an_llvm_of_its_own_that_compiler_builds_them(self, dockerfile):
        text = dockerfile("flags.BUILD_LLVM=1")
        build, final = text[: text.index("setup.py build_ext --inplace")], text[text.index(" AS final") :]
        for part in (build, final):
            assert "COPY --from=llvm /opt/llvm /opt/llvm" in part
            assert "ENV HIP_CLANG_PATH=/opt/llvm/bin" in part

    def test_without_the_flag_nothing_is_built_ahead(self, dockerfile):
        text = dockerfile("flags.BUILD_AITER_ALL=0")
        assert "setup.py build_ext" not in text
        assert "PREBUILD_KERNELS=1" not in text

    def test_an_editable_install_is_compat_and_is_looked_up_from_the_work_directory(self, dockerfile):
        (install,) = (step for step in steps(dockerfile()) if "--editable" in step)
        assert "--config-settings editable_mode=compat --editable . " in install
        assert install.endswith("&& cd /sgl-workspace && python3 /run/rocmimg/find_modules.py aiter")

    def test_a_wheel_is_built_in_its_stage_and_installed_once(self, dockerfile):
        text = dockerfile("components.aiter.install=wheel")
        stage, final = text.split("FROM base AS final")
        (build,) = (step for step in steps(stage) if "setup.py bdist_wheel --dist-dir /wheels" in step)
        assert "PREBUILD_KERNELS=1" in build.split()
        assert "--editable" not in text
        assert "--mount=type=bind,from=aiter,source=/wheels" in final


class TestFlags:
    def test_a_flag_that_is_off_leaves_no_trace(self, dockerfile):
        assert "llvm" not in dockerfile().lower()

    def test_no_shell_condition_asks_for_a_flag(self, dockerfile):
        text = dockerfile("flags.BUILD_LLVM=1")
        assert "BUILD_AITER" not in text
        assert "BUILD_LLVM" not in text


def test_a_local_source_is_copied_instead_of_cloned(dockerfile):
    text = dockerfile("components.aiter.source=local:../aiter")
    assert "COPY sources/aiter /sgl-workspace/aiter" in text
    assert "fetch.sh" not in text


def test_a_pin_is_fetched_with_its_submodules_unless_the_row_says_otherwise(dockerfile):
    assert "fetch.sh https://example.org/aiter.git v0.1.11.post1\n" in dockerfile()
    some = dockerfile("components.aiter.submodules=[3rdparty/one, two]")
    assert "aiter.git v0.1.11.post1 submodules=3rdparty/one,two\n" in some
    assert "aiter.git v0.1.11.post1 submodules=none\n" in dockerfile("components.aiter.submodules=none")


def test_a_row_gives_a_component_variables_and_packages(dockerfile):
    text = dockerfile("components.aiter.build_env.CFLAGS=-O1 -g", "components.aiter.runtime_apt=[libfoo1]")
    stage, final = text.split("FROM base AS final")
    assert "    CFLAGS='-O1 -g' \\\n" in stage
    assert "install -y --no-install-recommends libfoo1 \\" in final
    assert "libfoo1" not in stage


def test_network_settings_are_mounted_where_something_is_fetched(dockerfile):
    plain, behind_proxy = dockerfile(), dockerfile("network.http_proxy=http://proxy:3128")
    assert "/run/rocmimg/network" not in plain
    fetches = [line for line in behind_proxy.splitlines() if line.startswith("RUN --mount=type=bind,source=.rocmimg")]
    assert len(fetches) >= 2
    assert "proxy:3128" not in behind_proxy


class TestProjectTemplates:
    def test_a_block_is_overridden_and_the_rest_stays(self, load_matrix, tmp_path):
        components = tmp_path / "templates" / "components"
        components.mkdir(parents=True)
        (components / "aiter.j2").write_text(
            '{% extends "builtin/components/aiter.j2" %}{% block build %}RUN make {{ gpu_archs|sh }}\n{% endblock %}'
        )
        matrix = load_matrix(MATRIX)
        text = render(matrix, matrix.cells[0]).text
        assert "RUN make 'gfx942;gfx950'" in text
        assert "setup.py build_ext" not in text
        assert "fetch.sh" in text

    def test_a_recipe_of_the_project(self, load_matrix, tmp_path):
        components = tmp_path / "templates" / "components"
        components.mkdir(parents=True)
        (components / "mine.yaml").write_text("description: Mine\nsources: [none]\nenv: {ARCHS: '{archs}'}\n")
        (components / "mine.j2").write_text(
            '{% extends "components/component.j2" %}{% block stage %}{% endblock %}'
            "{% block install %}RUN install-mine\n{% endblock %}"
        )
        matrix = load_matrix(
            "targets:\n  t:\n    base: x\n    gpu_archs: [gfx942]\n    components: {mine: {}}\n",
        )
        rendered = render(matrix, matrix.cells[0])
        assert "RUN install-mine" in rendered.text
        assert "ENV ARCHS=gfx942\n" in rendered.text
        assert [stage.name for stage in rendered.stages] == ["base", "final"]

    @pytest.mark.parametrize(
        ("template", "message"),
        [
            ("{{ nothing|sh }}", "components/mine.j2:2: the template fails; 'nothing' is undefined"),
            ("{{ workdir }}", "reaches the Dockerfile unquoted"),
            ("{% if %}", "components/mine.j2:2: the template does not parse"),
            ('{% include "gone.j2" %}', "components/mine.j2:2: there is no template gone.j2"),
        ],
    )
    def test_an_error_names_the_template_and_its_line(self, load_matrix, tmp_path, template, message):
        components = tmp_path / "templates" / "components"
        components.mkdir(parents=True)
        (components / "mine.yaml").write_text("description: Mine\nsources: [none]\n")
        (components / "mine.j2").write_text(f"RUN true\n{template}\n")
        matrix = load_matrix("targets:\n  t:\n    base: x\n    gpu_archs: [gfx942]\n    components: {mine: {}}\n")
        with pytest.raises(TemplateError) as caught:
            render(matrix, matrix.cells[0])
        assert message in str(caught.value)
        assert caught.value.exit_code == 4

    def test_a_missing_template(self, load_matrix, tmp_path):
        components = tmp_path / "templates" / "components"
        components.mkdir(parents=True)
        (components / "mine.yaml").write_text("description: Mine\nsources: [none]\n")
        matrix = load_matrix("targets:\n  t:\n    base: x\n    gpu_archs: [gfx942]\n    components: {mine: {}}\n")
        with pytest.raises(TemplateError, match=r"there is no template components/mine.j2"):
            render(matrix, matrix.cells[0])


def test_a_component_cannot_take_the_name_of_a_stage(dockerfile):
    with pytest.raises(ConfigError, match="cannot be called 'final'"):
        dockerfile(
            matrix=MATRIX.replace("          aiter:", "          final: {uses: aiter, ").replace(
                "{uses: aiter,  {repo", "{uses: aiter, repo"
            )
        )


class TestSourceDistribution:
    MATRIX = """
        targets:
          t:
            base: rocm/pytorch:latest
            gpu_archs: [gfx942]
            workdir: /sgl-workspace
            components:
              it:
                uses: sdist
                module: it
                options: {distribution: it, version: 1.2, environment: ["KIND=a b"]}
    """

    def test_it_is_the_archive_with_this_digest_and_installed_as_any_checkout(self, dockerfile):
        digest = "0" * 64
        text = dockerfile(f"components.it.options.sha256={digest}", matrix=self.MATRIX)
        (download, install) = (step for step in steps(text) if "KIND='a b'" in step)
        assert f"it==1.2 --hash=sha256:{digest} | paste -s -d ' ' > /tmp/requirements.txt" in download
        assert "--no-binary it --require-hashes" in download
        assert "editable_mode=compat --editable ." in install
        assert "--no-deps --use-pep517" not in text
        assert "--no-build-isolation" not in text

    def test_it_can_be_built_with_what_the_image_has_and_nothing_else(self, dockerfile):
        sets = ("components.it.options.isolation=false", "components.it.options.dependencies=false")
        text = dockerfile(*sets, matrix=self.MATRIX)
        assert "pip download --no-cache-dir --no-deps --no-build-isolation" in text
        assert "pip install --no-cache-dir --no-build-isolation --no-deps --use-pep517" in text

    @pytest.mark.parametrize("value", ["distribution=a b", "sha256=abc", "version=1 --pre", "environment=[A B=c]"])
    def test_what_pip_would_read_as_something_else_is_refused(self, dockerfile, value):
        with pytest.raises(ConfigError):
            dockerfile(f"components.it.options.{value}", matrix=self.MATRIX)
