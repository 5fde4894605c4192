"""Small projects with build files that do what components' did to us, through the production recipes, without network.

Trace builds replace setup.py; here it runs, by the engine and a real setuptools.
"""

import textwrap

import pytest
import yaml

from rocmimg.engine import ContainerSpec
from rocmimg.errors import BuildError
from rocmimg.matrix.recipe import builtin_templates

MATRIX = """
    defaults:
      image: rocmimg-test/shapes
      network: {engine_mode: none}
    targets:
      ground:
        gpu_archs: [gfx942]
        base: rocmimg/lab-base:dev
        components:
          under: {uses: flash-attention, source: local:underscore, module: under_score_name}
      app:
        gpu_archs: [gfx942]
        base: {cell: ground}
        protect: [under-score-name]
        flags: {BUILD_AITER_ALL: true, ENABLE_MORI: true}
        components:
          downloads: {uses: fast-hadamard-transform, source: local:downloads, module: downloads}
          folder: {uses: aiter, source: local:folder, module: folder, install: wheel, options: {requirements: ""}}
          mori: {source: local:optional, module: optional, options: {umbp: false}}
          fetches: {uses: flash-attention, source: local:fetches, module: fetches, enabled: false}
"""
SETUP = "from setuptools import setup\nsetup(name={name!r}, version='1.0', packages=[{name!r}]{more})\n"
FILES = {
    # a wheel from somebody's releases, unless it is told to build
    "downloads/setup.py": """\
        import os
        from setuptools import setup
        from setuptools.command.bdist_wheel import bdist_wheel
        class Downloader(bdist_wheel):
            def run(self):
                if os.getenv("FAST_HADAMARD_TRANSFORM_FORCE_BUILD", "FALSE") != "TRUE":
                    raise SystemExit("would download")
                super().run()
        setup(name="downloads", version="1.0", packages=["downloads"], cmdclass={"bdist_wheel": Downloader})
    """,
    # what is imported lies beside setup.py, which only a start of setup.py itself has on the path
    "folder/helper.py": "NAME = 'folder'\n",
    "folder/setup.py": "import os\nfrom helper import NAME\nassert os.environ['PREBUILD_KERNELS'] == '1'\n"
    + SETUP.format(name="folder", more=""),
    # a part that is left out with a warning
    "optional/setup.py": """\
        import os, warnings
        from pathlib import Path
        from setuptools import setup
        if os.environ["BUILD_UMBP"] == "ON":
            if Path("/usr/include/google/protobuf/message.h").exists():
                Path("python/mori").mkdir(parents=True)
                Path("python/mori/umbp_master").touch(mode=0o755)
            else:
                warnings.warn("protobuf is missing: UMBP is disabled")
        setup(name="optional", version="1.0", packages=["optional"])
    """,
    # something that no list names is fetched by the build
    "fetches/setup.py": SETUP.format(name="fetches", more=", setup_requires=['packaging-of-the-day']"),
    # a name that the metadata spells another way than everybody
    "underscore/setup.py": SETUP.format(name="under_score_name", more=""),
}


@pytest.fixture
def shapes(project, run_rocmimg, tmp_path):
    """The projects, and the recipes as they are built in, without Debian's packages and the index's."""
    done = run_rocmimg("build", "lab-base-gfx9")
    assert done.returncode == 0, done.stdout + done.stderr
    made = project(textwrap.dedent(MATRIX))
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(textwrap.dedent(text))
    for folder in ("downloads", "folder", "optional", "fetches", "underscore/under_score_name"):
        package = tmp_path / folder / folder.rpartition("/")[2] if "/" not in folder else tmp_path / folder
        package.mkdir()
        (package / "__init__.py").touch()
    components = tmp_path / "templates/components"
    components.mkdir(parents=True)
    for recipe in ("fast-hadamard-transform", "aiter", "mori", "flash-attention"):
        keys = yaml.safe_load((builtin_templates() / f"components/{recipe}.yaml").read_text())
        (components / f"{recipe}.yaml").write_text(yaml.safe_dump({**keys, "apt": {}, "build_pip": {}}))
    return made


def test_the_recipes_build_them(shapes, host_engine):
    done = shapes.run("build")
    assert done.returncode == 0, done.stdout + done.stderr
    with host_engine.run(ContainerSpec(image="rocmimg-test/shapes:dev-app-mi30x")) as container:
        there = container.exec(["python3", "-c", "import downloads, folder, optional, under_score_name"], timeout=60)
        assert there.exit_code == 0, there.stderr
        held = container.exec(["cat", "/etc/rocmimg/constraints.txt"], timeout=20)
        assert held.stdout == b"under-score-name==1.0\n"


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ("components.mori.options.umbp=true", "test -x python/mori/umbp_master"),
        ("components.fetches.enabled=true", "packaging-of-the-day"),
    ],
)
def test_what_they_leave_out_or_would_fetch_ends_the_build(shapes, change, why):
    done = shapes.run("build", "--set", change, "app")
    assert done.returncode == BuildError.exit_code, done.stdout + done.stderr
    assert why in done.stdout + done.stderr
