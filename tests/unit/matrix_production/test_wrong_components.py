"""Wrong components of a production matrix: each error with its place."""

import textwrap

import pytest

from rocmimg.errors import ConfigError, TemplateError
from rocmimg.render import render

HEAD = """\
targets:
  t:
    gpu_archs: [gfx942]
    base: debian:testing
    workdir: /w
"""
AITER = "aiter: {repo: 'https://host/aiter.git', ref: v1}"
BOTH_IN_OPT_LLVM = """\
flags: {BUILD_LLVM: 1, ENABLE_NIXL: 1}
components:
  llvm: {repo: /l, ref: v1}
  ucx: {repo: /u, ref: v1, options: {prefix: /opt/llvm/ucx}}
"""
CIRCLE = """\
components:
  one: {uses: aiter, module: one, repo: /a, ref: v1, needs: [two]}
  two: {uses: aiter, module: two, repo: /a, ref: v1, needs: [one]}
"""

CASES = {
    "an unknown component": (
        "components:\n  aitr: {repo: 'https://host/a.git', ref: v1}",
        "images.yaml:7: component aitr: there is no recipe 'aitr'",
        "did you mean 'aiter'?",
    ),
    "a pin that is no ref": (
        "components:\n  aiter: {repo: 'https://host/a.git', ref: 'v1..v2'}",
        "images.yaml:7: components.aiter.ref is wrong",
        "'v1..v2' is not a git ref",
    ),
    "an abbreviated commit": (
        "components:\n  aiter: {repo: 'https://host/a.git', ref: 669b31a}",
        "images.yaml:7: components.aiter.ref is wrong",
        "write all 40 digits",
    ),
    "a revert that is no commit": (
        "components:\n  aiter: {repo: 'https://host/a.git', ref: v1, reverts: [669b31a]}",
        "images.yaml:7: components.aiter.reverts.0 is wrong",
        "",
    ),
    "an option that the component does not take": (
        "components:\n  aiter: {repo: 'https://host/a.git', ref: v1, options: {enable_ck: false}}",
        "images.yaml:7: component aiter: aiter takes no option 'enable_ck'",
        "",
    ),
    "an option of the wrong type": (
        "components:\n  aiter: {repo: 'https://host/a.git', ref: v1, options: {ck: maybe}}",
        "images.yaml:7: components.aiter.options.ck is wrong",
        "'maybe' is not true or false",
    ),
    "a choice that is none": (
        "flags: {NIC_BACKEND: bxnt}\ncomponents:\n  nic: {}",
        "images.yaml:6: flag NIC_BACKEND is wrong",
        "'bxnt' is not one of none, ainic, bnxt, all",
    ),
    "one checkout for two components": (
        f"components:\n  {AITER}\n  fork: {{uses: aiter, repo: /f, ref: v1, directory: aiter, module: f}}",
        "images.yaml:8: components aiter and fork both write /w/aiter",
        "change its directory, module or options",
    ),
    "one module from two components": (
        f"components:\n  {AITER}\n  fork: {{uses: aiter, repo: 'https://host/f.git', ref: v1}}",
        "images.yaml:8: components aiter and fork both write site-packages/aiter",
        "",
    ),
    "one prefix for two components": (
        BOTH_IN_OPT_LLVM,
        "images.yaml:9: components llvm and ucx both write /opt/llvm",
        "",
    ),
    "one distribution from two components": (
        "flags: {BUILD_TRITON: true}\ncomponents:\n  triton: {repo: /t, ref: v1}\n  triton-wheel: {}",
        "images.yaml:9: components triton and triton-wheel both write",
        "",
    ),
    "the source of a component that is not there": (
        "components:\n  sgl-kernel: {source: 'component:sgl'}\n  sglang: {repo: 'https://host/s.git', ref: v1}",
        "images.yaml:7: component sgl-kernel: 'sgl' is not a component with a source of its own",
        "did you mean 'sglang'?",
    ),
    "two sources": (
        "components:\n  sgl-kernel: {source: 'component:sglang', ref: v2}\n  sglang: {repo: /s, ref: v1}",
        "images.yaml:7: component sgl-kernel has the source of sglang, and one of its own",
        "",
    ),
    "a need that the cell does not have": (
        f"components:\n  {AITER[:-1]}, needs: [tritn]}}\n  rust: {{}}",
        "images.yaml:7: component aiter needs 'tritn', which the cell does not have",
        "",
    ),
    "components that need each other": (
        CIRCLE,
        "images.yaml:7: circular needs: ",
        "one -> two -> one",
    ),
    "an arch that the cell is not for": (
        f"components:\n  {AITER[:-1]}, gpu_archs: [gfx950]}}",
        "images.yaml:7: component aiter: the cell is not for gfx950",
        "",
    ),
    "a repository for what has none": (
        "components:\n  amdsmi: {repo: 'https://host/a.git', ref: v1}",
        "images.yaml:7: component amdsmi: amdsmi has no source of its own",
        "",
    ),
    "a version that is none": (
        "common_pip: {cmake: 'four; rm'}",
        "images.yaml:6: common_pip.cmake is wrong",
        "'four; rm' is neither a version nor version bounds",
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_it_is_an_error_with_a_place(name, load_matrix):
    text, where, what = CASES[name]
    body = HEAD + textwrap.indent(text, "    ") + "\n"
    with pytest.raises(ConfigError) as caught:
        load_matrix(body)
    assert where in str(caught.value)
    assert what in str(caught.value)


def test_cells_that_start_from_each_other(load_matrix):
    with pytest.raises(ConfigError, match=r"images.yaml:\d+: circular bases: "):
        load_matrix("""
            targets:
              a: {gpu_archs: [gfx942], base: {cell: b}}
              b: {gpu_archs: [gfx942], base: {cell: a}}
        """)


def test_a_need_that_is_switched_off_is_no_error(load_matrix):
    matrix = load_matrix(
        HEAD + "    components:\n"
        "      triton: {repo: 'https://host/t.git', ref: v1}\n"
        f"      {AITER[:-1]}, needs: [triton]}}\n"
    )
    assert [component.name for component in matrix.cells[0].components] == ["aiter"]


def test_a_toolchain_that_is_missing_is_named(load_matrix):
    matrix = load_matrix(HEAD + "    components:\n      sglang: {repo: 'https://host/s.git', ref: v1}\n")
    with pytest.raises(TemplateError, match=r"component.j2:\d+: .* uses 'rust', which the cell does not have"):
        render(matrix, matrix.cells[0])


def test_a_recipe_with_a_missing_file(load_matrix, tmp_path):
    folder = tmp_path / "templates/components"
    folder.mkdir(parents=True)
    (folder / "mine.yaml").write_text("description: mine\nsources: [none]\n")
    (folder / "mine.j2").write_text(
        '{% import "macros.j2" as m with context %}\n'
        '{% call m.run(network=false, files=["gone.py"]) %}\nx\n{% endcall %}\n'
    )
    matrix = load_matrix(HEAD + "    components:\n      mine: {}\n")
    with pytest.raises(TemplateError, match=r"there is no gone.py in files/ of"):
        render(matrix, matrix.cells[0])


@pytest.mark.parametrize(
    ("flags", "what"),
    [
        ("{BUILD_LLVM: true}", "images.yaml:2: flag BUILD_LLVM has no effect; no component of any cell takes it"),
        ("{BUILD_LVM: true}", "images.yaml:2: unknown flag BUILD_LVM; did you mean 'BUILD_LLVM'?"),
    ],
)
def test_a_default_flag_that_nobody_takes(flags, what, load_matrix):
    with pytest.raises(ConfigError) as caught:
        load_matrix(f"defaults:\n  flags: {flags}\n" + HEAD + "    components:\n      rust: {}\n")
    assert what in str(caught.value)
