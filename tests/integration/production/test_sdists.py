"""Source distributions of the index through their recipes' real steps, with a torch that says HIP and compiles nothing.

The archives are fetched by the test, checked, and built without network. ROCMIMG_TEST_SDISTS=1 takes larger ones too.
"""

import hashlib
import io
import os
import shutil
import tarfile
import textwrap
from pathlib import Path

import packaging
import pytest
import requests
import yaml
from pypi_simple import PyPISimple

from rocmimg.engine import ContainerSpec
from rocmimg.errors import BuildError
from rocmimg.matrix.recipe import builtin_templates

MATRIX = """
    defaults:
      image: rocmimg-test/sdists
      network: {{engine_mode: none}}
    targets:
      ground:
        gpu_archs: [gfx942]
        base: rocmimg/lab-base:dev
        components:
          site: {{source: local:ground}}
      app:
        gpu_archs: [gfx942]
        base: {{cell: ground}}
        protect: [torch]
        components:
          {recipe}: {{source: local:sdist, options: {options}}}
"""
# Archive, its digest, options, and a setting with which the same steps must fail, for it is there for a reason.
CASES = {
    "fast-hadamard-transform": (
        "fast_hadamard_transform-1.1.0.tar.gz",
        "7c03daf825dc74c7200605a5b758f2d5a3bc47ef3b817bf02e97b24076a83906",
        "{}",
        "build_env.FAST_HADAMARD_TRANSFORM_FORCE_BUILD=FALSE",
    ),
    "flash-attention": (
        "flash_attn-2.8.3.tar.gz",
        "1e71dd64a9e0280e0447b8a0c2541bad4bf6ac65bdeaa2f90e51a9e57de0370d",
        "{backend: triton}",
        "build_env.FLASH_ATTENTION_FORCE_BUILD=FALSE",
    ),
    "sglang": (
        "sglang-0.5.9.tar.gz",
        "11b1445bfb039c20217783850fda66a71b814391b2cf313f4e6cadc3b9fea41b",
        "{folder: ., rust: '', extras: [], version: 0.5.9}",  # the archive is that folder, older than its Rust
        "options.extras=[srt_hip]",  # asks for what is not there
    ),
}
LARGE = {"flash-attention"}
# What their build files ask of torch.
TORCH = {
    "torch/__init__.py": """\
        __version__ = "2.9.1+rocm7.2.0"
        from torch import version
        class _C:
            _GLIBCXX_USE_CXX11_ABI = True
    """,
    "torch/version.py": 'hip = "7.2.0"\ncuda = None\n',
    "torch/utils/__init__.py": "",
    "torch/utils/cpp_extension.py": """\
        from setuptools import Extension
        from setuptools.command.build_ext import build_ext
        from pathlib import Path
        IS_HIP_EXTENSION = True
        ROCM_HOME = "/opt/rocm"
        CUDA_HOME = str(Path(__file__).parent)
        class BuildExtension(build_ext):
            def build_extension(self, ext):
                import os
                print("compiles", ext.name, "for", os.environ["PYTORCH_ROCM_ARCH"])
                Path(self.get_ext_fullpath(ext.name)).parent.mkdir(parents=True, exist_ok=True)
                Path(self.get_ext_fullpath(ext.name)).with_suffix(".py").touch()
        def CUDAExtension(name, sources, **_):
            return Extension(name, sources)
        CppExtension = CUDAExtension
    """,
    "torch/utils/bin/nvcc": "#!/bin/sh\necho 'release 12.4, V12.4'\n",
}
PRESENT = {
    "torch": "2.9.1+rocm7.2.0", "packaging": "25.0", "ninja": "1.13.0", "psutil": "7.2.2", "einops": "0.8.1",
    **dict.fromkeys(("aiohttp", "requests", "tqdm", "numpy", "ipython", "setproctitle"), "99"),
}  # fmt: skip
SCM = (
    "setuptools_scm-8.3.1-py3-none-any.whl",
    "332ca0d43791b818b841213e76b1971b7711a960761c5bea5fc5cdb5196fbce3",
)


def fetched(name: str, digest: str) -> io.BytesIO:
    """A file of the index, checked."""
    project = name.partition("-")[0].replace("_", "-")
    try:
        with PyPISimple() as index:
            url = next(p.url for p in index.get_project_page(project, timeout=30).packages if p.filename == name)
        answer = requests.get(url, timeout=120)
        answer.raise_for_status()
    except (requests.RequestException, StopIteration) as error:
        pytest.skip(f"not run: {name} is not to be had here: {error}")
    assert hashlib.sha256(answer.content).hexdigest() == digest
    return io.BytesIO(answer.content)


@pytest.fixture
def built_from_index(project, run_rocmimg, tmp_path):
    """``built_from_index(recipe)``: a project that builds the sdist of a recipe with the recipe as it is built in."""

    def make(recipe):
        name, digest, options, _ = CASES[recipe]
        with tarfile.open(fileobj=fetched(name, digest)) as archive:
            archive.extractall(tmp_path, filter="data")
        (tmp_path / name.removesuffix(".tar.gz")).rename(tmp_path / "sdist")
        done = run_rocmimg("build", "lab-base-gfx9")
        assert done.returncode == 0, done.stdout + done.stderr
        made = project(textwrap.dedent(MATRIX.format(recipe=recipe, options=options)))
        site = tmp_path / "ground"
        for distribution, version in PRESENT.items():
            (site / distribution).mkdir(parents=True)
            (site / distribution / "__init__.py").touch()
            info = site / f"{distribution}-{version}.dist-info"
            info.mkdir()
            (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: {version}\n")
        for file, text in TORCH.items():
            (site / file).parent.mkdir(parents=True, exist_ok=True)
            (site / file).write_text(textwrap.dedent(text))
            (site / file).chmod(0o755)
        shutil.copytree(Path(packaging.__file__).parent, site / "packaging", dirs_exist_ok=True)
        wheel = tmp_path / "scm.whl"
        wheel.write_bytes(fetched(*SCM).getvalue())
        shutil.unpack_archive(wheel, site, "zip")
        components = tmp_path / "templates/components"
        components.mkdir(parents=True)
        keys = yaml.safe_load((builtin_templates() / f"components/{recipe}.yaml").read_text())
        (components / f"{recipe}.yaml").write_text(yaml.safe_dump({**keys, "apt": {}, "build_pip": {}}))
        (components / "site.yaml").write_text("description: distributions as they lie in Debian's folder for them\n")
        (components / "site.j2").write_text(
            '{% extends "components/component.j2" %}{% block install %}\n'
            "COPY --from={{ c.name|word }} {{ checkout|word }}/ /usr/lib/python3/dist-packages/\n{% endblock %}"
        )
        return made

    return make


@pytest.mark.parametrize(
    "recipe",
    [
        pytest.param(
            name,
            marks=pytest.mark.skipif(
                name in LARGE and not os.environ.get("ROCMIMG_TEST_SDISTS"), reason="large: ROCMIMG_TEST_SDISTS=1"
            ),
        )
        for name in CASES
    ],
)
def test_a_recipe_builds_the_indexs_sources(built_from_index, host_engine, recipe):
    made = built_from_index(recipe)
    done = made.run("build")
    assert done.returncode == 0, done.stdout + done.stderr
    with host_engine.run(ContainerSpec(image="rocmimg-test/sdists:dev-app-mi30x")) as container:
        listed = container.exec(["python3", "-m", "pip", "list", "--format=freeze"], timeout=60).stdout.decode()
    name, _, version = CASES[recipe][0].removesuffix(".tar.gz").rpartition("-")
    assert f"{name}=={version}".replace("_", "-") in listed.replace("_", "-").splitlines()
    done = made.run("build", "app", "--set", f"components.{recipe}.{CASES[recipe][3]}")
    assert done.returncode == BuildError.exit_code, done.stdout + done.stderr
