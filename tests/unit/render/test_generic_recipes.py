"""The recipes for any Python package and any CMake project, and recipes of one file that refine them."""

import pytest

from rocmimg.errors import ConfigError
from rocmimg.lock import Lock, pin
from rocmimg.lock.requests import lookup_requests
from rocmimg.render import render


def stages(matrix):
    return {stage.name: stage.text for stage in render(matrix, matrix.cells[0], rootfs=False).stages}


def matrix_of(component, base="debian:12"):
    return f"""
        targets:
          a:
            gpu_archs: [{{both: [gfx942, gfx950]}}]
            base: {base}
            components:
              my-app: {{uses: {component}}}
    """


def python(load_matrix, keys):
    return stages(load_matrix(matrix_of(f"python, {keys}")))


class TestPython:
    def test_an_editable_checkout(self, load_matrix):
        found = python(load_matrix, "repo: https://example.org/x, ref: v1, options: {extras: [serve, all]}")
        assert "fetch.sh https://example.org/x v1" in found["my-app"]
        assert "COPY --from=my-app /workspace/my-app /workspace/my-app" in found["final"]
        assert "--config-settings editable_mode=compat --editable '.[serve,all]'" in found["final"]
        assert "find_modules.py my_app" in found["final"]

    def test_a_wheel_of_a_folder_in_the_checkout(self, load_matrix, tmp_path):
        (tmp_path / "src").mkdir()
        keys = (
            "source: local:src, install: wheel, build_env: {FAST: 1}, options: {subdirectory: python, isolation: false}"
        )
        found = python(load_matrix, keys)
        assert "COPY sources/my-app /workspace/my-app" in found["my-app"]
        assert (
            "cd /workspace/my-app/python \\\n && FAST=1 \\\n    python3 -m pip wheel --no-cache-dir --no-build-iso"
            in found["my-app"]
        )
        assert "source=/wheels,target=/wheels" in found["final"]
        assert "PYTORCH_ROCM_ARCH" not in found["my-app"]

    def test_what_compiles_gets_the_gpus(self, load_matrix):
        keys = "repo: https://example.org/x, ref: v1, install: wheel, options: {kernels: true, extras: [a]}"
        matrix = load_matrix(matrix_of(f"python, {keys}"))
        assert "PYTORCH_ROCM_ARCH='gfx942;gfx950'" in stages(matrix)["my-app"]
        assert """"$(echo /wheels/*.whl)"'[a]'""" in stages(matrix)["final"]
        assert matrix.cells[0].components[0].kernels

    @pytest.mark.parametrize(
        ("options", "said"),
        [
            ("{version: 1.2}", "pip install --no-cache-dir my-app==1.2"),
            ('{version: ">=1,<2", distribution: other}', "pip install --no-cache-dir 'other>=1,<2'"),
            ("{extras: [a]}", "pip install --no-cache-dir 'my-app[a]'"),
            (
                '{dependencies: false, index: "https://example.org/simple"}',
                "--no-deps --index-url https://example.org/simple my-app",
            ),
        ],
    )
    def test_a_package_of_an_index(self, load_matrix, options, said):
        found = python(load_matrix, f"source: index, options: {options}")
        assert "my-app" not in found
        assert said in found["final"]

    def test_the_lock_pins_a_package_of_an_index(self, load_matrix):
        matrix = load_matrix(matrix_of('python, source: index, options: {version: ">=1"}'))
        (request,) = [one for one in lookup_requests(matrix.cells) if one.section == "packages"]
        assert (request.place, request.name, str(request.position)) == ("default", "my-app>=1", "images.yaml:6")
        lock = Lock.model_validate({"packages": {"default": {"my-app>=1": {"version": "1.7"}}}})
        assert "my-app==1.7" in stages(pin(matrix, lock)[0])["final"]

    @pytest.mark.parametrize(
        ("keys", "said"),
        [
            ("repo: https://example.org/x", "ref is missing"),
            ("source: index, ref: v1", "what comes from an index has no ref of its own"),
            ("source: index, install: editable", "what comes from an index has no install of its own"),
            ("source: index, options: {index: file:///x}", "does not match"),
        ],
    )
    def test_half_of_a_source_is_refused(self, load_matrix, keys, said):
        with pytest.raises(ConfigError, match=said):
            load_matrix(matrix_of(f"python, {keys}"))

    def test_other_recipes_take_no_index(self, load_matrix):
        with pytest.raises(ConfigError, match="aiter cannot come from an index; use git or local"):
            load_matrix(matrix_of("aiter, source: index"))


def test_a_cmake_project(load_matrix):
    options = "{cmake: [-DUSE_HIP=ON], kernels: true, subdirectory: cpp, targets: [all, docs]}"
    keys = f"repo: https://example.org/x, ref: v1, options: {options}"
    matrix = load_matrix(matrix_of(f"cmake, {keys}"))
    found = stages(matrix)
    assert "cmake -S cpp -B /build -G Ninja -DCMAKE_BUILD_TYPE=Release" in found["my-app"]
    assert "'-DCMAKE_HIP_ARCHITECTURES=gfx942;gfx950'" in found["my-app"]
    assert "-DUSE_HIP=ON" in found["my-app"]
    assert "cmake --build /build --target all docs" in found["my-app"]
    assert "COPY --from=my-app /opt/my-app /opt/my-app" in found["final"]
    assert "echo /opt/my-app/lib > /etc/ld.so.conf.d/my-app.conf" in found["final"]
    assert matrix.cells[0].components[0].paths == ("/opt/my-app",)


class TestOneFile:
    """templates/components/NAME.yaml alone, which extends another recipe."""

    @pytest.fixture
    def recipe(self, tmp_path):
        folder = tmp_path / "templates/components"
        folder.mkdir(parents=True)
        return lambda text, name="trainer": (folder / f"{name}.yaml").write_text(text)

    def load(self, load_matrix, name="trainer"):
        return load_matrix(matrix_of(f"{name}, repo: https://example.org/x, ref: v1"))

    def test_it_says_what_differs(self, recipe, load_matrix):
        recipe("""\
extends: python
description: The training program.
module: trainer
install: [wheel]
options:
  subdirectory: {default: py}
apt: {runtime: [libnuma1]}
""")
        matrix = self.load(load_matrix)
        (part,) = matrix.cells[0].components
        assert (part.module, part.install, part.options["subdirectory"]) == ("trainer", "wheel", "py")
        found = stages(matrix)
        assert "# my-app: The training program." in found["my-app"]
        assert "cd /workspace/my-app/py" in found["my-app"]
        assert "libnuma1" in found["final"]

    def test_one_that_extends_nothing_is_told(self, recipe, load_matrix):
        recipe("extends: pyhton\ndescription: x\n")
        with pytest.raises(
            ConfigError,
            match=r"templates/components/trainer.yaml:1: extends: there is no recipe 'pyhton'; did you mean 'python'",
        ):
            self.load(load_matrix)

    def test_a_circle_is_told(self, recipe, load_matrix):
        recipe("extends: other\ndescription: x\n")
        recipe("extends: trainer\ndescription: x\n", "other")
        with pytest.raises(ConfigError, match="circular extends"):
            self.load(load_matrix)

    def test_a_wrong_key_stands_at_its_line(self, recipe, load_matrix):
        recipe("extends: python\ndescription: x\noptons: {}\n")
        with pytest.raises(
            ConfigError, match=r"templates/components/trainer.yaml:3: unknown key optons; did you mean 'options'"
        ):
            self.load(load_matrix)
