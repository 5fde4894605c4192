"""Defaults, extends, variant, arch, command line: who wins, what merges, what appends, and where it came from."""

import pytest

from rocmimg.errors import ConfigError
from rocmimg.matrix import Selection, select
from rocmimg.matrix.explain import explain

MATRIX = """
    defaults:
      version: v1
      env: {A: default, B: default}
      apt: [curl]
    targets:
      parent:
        base: debian:testing
        env: {B: parent, C: parent}
        apt: [git]
        command: [sh]
        components:
          aiter: {repo: https://example.org/aiter, ref: v0.1.11}
        flags: {BUILD_AITER_ALL: true}
      child:
        extends: parent
        gpu_archs: [gfx942, gfx950]
        env: {C: child, A: null}
        apt: [vim]
        command: [bash]
        variants:
          srt: {env: {D: srt}}
          big: {opt_in: true, env: {D: big}}
        per_arch:
          gfx950:
            env: {C: arch}
            components: {aiter: {ref: v0.1.12}}
"""


def test_a_mapping_merges_a_list_replaces_and_apt_appends(load_matrix):
    config = load_matrix(MATRIX).cell("child-gfx942").config
    assert config.env == {"B": "parent", "C": "child"}
    assert config.command == ("bash",)
    assert config.apt == ("curl", "git", "vim")


def test_arch_wins_over_target_and_variant_is_in_between(load_matrix):
    cell = load_matrix(MATRIX).cell("child-gfx950-srt")
    assert cell.config.env == {"B": "parent", "C": "arch", "D": "srt"}
    assert cell.config.components["aiter"].ref == "v0.1.12"


def test_a_target_without_archs_makes_no_cell(load_matrix):
    matrix = load_matrix(MATRIX)
    assert not any(cell.target == "parent" for cell in matrix.cells)
    assert matrix.extended == {"parent": ("child",)}
    with pytest.raises(
        ConfigError, match="target 'parent' has no cells; it has no gpu_archs; it is only extended, by child"
    ):
        select(matrix.cells, Selection(ids=("parent",)), matrix.extended)


def test_set_wins_and_changes_only_the_selected_cells(load_matrix):
    matrix = load_matrix(
        MATRIX, "components.aiter.ref=v9", "env.E=a b", selection=Selection(archs=("gfx942",), variants=("srt",))
    )
    assert matrix.cell("child-gfx942-srt").config.components["aiter"].ref == "v9"
    assert matrix.cell("child-gfx942-srt").config.env["E"] == "a b"
    assert matrix.cell("child-gfx950-srt").config.components["aiter"].ref == "v0.1.12"


@pytest.mark.parametrize("text", ["ref", "=x", "a..b=1", "gpu_archs=[gfx942]"])
def test_a_set_without_a_path_is_refused(load_matrix, text):
    with pytest.raises(ConfigError, match="command line"):
        load_matrix(MATRIX, text)


def test_a_set_with_an_unknown_key_says_which_was_meant(load_matrix):
    with pytest.raises(ConfigError, match=r"command line: .*reff.*did you mean 'ref'"):
        load_matrix(MATRIX, "components.aiter.reff=v9")


def test_numbers_and_dates_stay_the_text_that_was_written(load_matrix):
    matrix = load_matrix(MATRIX, "version=7.10", "env.A=010", "env.B=2026-11-21", "env.C=no", "env.D=1")
    cell = matrix.cell("child-gfx942")
    assert cell.config.version == "7.10"
    assert cell.config.env == {"A": "010", "B": "2026-11-21", "C": "no", "D": "1"}


@pytest.mark.parametrize(("value", "wanted"), [("1", True), ("0", False), ("true", True), ("false", False)])
def test_a_flag_takes_the_words_of_build_arguments(load_matrix, value, wanted):
    cell = load_matrix(MATRIX, f"flags.BUILD_AITER_ALL={value}").cell("child-gfx942")
    assert cell.flags["BUILD_AITER_ALL"] is wanted


def test_explain_says_where_each_value_was_written(load_matrix):
    matrix = load_matrix(MATRIX, "env.E=x")
    facts = {fact.key: str(fact.position) for fact in explain(matrix, matrix.cell("child-gfx950"))}
    assert facts["version"] == "images.yaml:2"
    assert facts["env.B"] == "images.yaml:8"
    assert facts["env.C"] == "images.yaml:25"
    assert facts["env.E"] == "command line"
    assert facts["components.aiter.ref"] == "images.yaml:26"
    assert facts["workdir"] == "default"
    assert facts["components.aiter.options.max_jobs"].startswith("templates/components/aiter.yaml:")


def test_explain_of_a_key_that_is_not_there(load_matrix):
    matrix = load_matrix(MATRIX)
    with pytest.raises(ConfigError, match="did you mean 'flags'"):
        explain(matrix, matrix.cell("child-gfx942"), "flag")


class TestSelection:
    def test_opt_in_cells_are_left_out_until_they_are_named(self, load_matrix):
        cells = load_matrix(MATRIX).cells
        assert "child-gfx942-big" not in select(cells, Selection(targets=("child",)))
        assert select(cells, Selection(ids=("child-gfx942-big",))) == ["child-gfx942-big"]
        assert select(cells, Selection(variants=("big",))) == ["child-gfx942-big", "child-gfx950-big"]

    def test_a_target_stands_for_its_cells_wherever_a_cell_may(self, load_matrix):
        cells = load_matrix(MATRIX).cells
        for of_target in (Selection(ids=("child",)), Selection(ids=("ch?ld",))):
            assert select(cells, of_target) == select(cells, Selection(targets=("child",)))
        assert select(cells, Selection(ids=("child",), archs=("gfx950",))) == ["child-gfx950", "child-gfx950-srt"]
        assert select(cells, Selection(ids=("child",), variants=("big",))) == ["child-gfx942-big", "child-gfx950-big"]
        named = select(cells, Selection(ids=("child", "child-gfx942-big")))
        assert named == ["child-gfx942", "child-gfx950", "child-gfx942-srt", "child-gfx950-srt", "child-gfx942-big"]

    def test_patterns(self, load_matrix):
        assert select(load_matrix(MATRIX).cells, Selection(targets=("ch*",), archs=("gfx95?",), variants=("srt",))) == [
            "child-gfx950-srt"
        ]

    @pytest.mark.parametrize(
        ("selection", "message"),
        [
            (Selection(targets=("chld",)), "no target is called 'chld'; did you mean 'child'?"),
            (Selection(archs=("gfx90a",)), "no arch is called 'gfx90a'"),
            (Selection(ids=("child-gfx942-x",)), "no cell or target is called"),
        ],
    )
    def test_an_unknown_selector_is_an_error(self, load_matrix, selection, message):
        with pytest.raises(ConfigError) as caught:
            select(load_matrix(MATRIX).cells, selection)
        assert message in str(caught.value)


def test_a_key_with_dots_stands_in_brackets(load_matrix):
    matrix = load_matrix(
        MATRIX, "network.git_mirrors[https://github.com/?a=b]=https://m.example/x=y/", "labels[org.example.vendor]=us"
    )
    config = matrix.cell("child-gfx942").config
    assert config.network.git_mirrors == {"https://github.com/?a=b": "https://m.example/x=y/"}
    assert config.labels == {"org.example.vendor": "us"}


def test_a_value_may_come_from_a_file(load_matrix, tmp_path):
    (tmp_path / "mirrors.yaml").write_text(
        "https://github.com/: /srv/mirrors\nhttps://gitlab.com/: https://m.example/g\n"
    )
    mirrors = load_matrix(MATRIX, "network.git_mirrors=@mirrors.yaml").cell("child-gfx942").config.network.git_mirrors
    assert mirrors == {"https://github.com/": "/srv/mirrors/", "https://gitlab.com/": "https://m.example/g/"}
    with pytest.raises(ConfigError, match=r"none\.yaml does not exist"):
        load_matrix(MATRIX, "network.git_mirrors=@none.yaml")
    (tmp_path / "mirrors.yaml").write_text("https://github.com/: mirrors\n")
    with pytest.raises(ConfigError, match=r"mirrors.yaml:1: .*is not a URL or a folder"):
        load_matrix(MATRIX, "network.git_mirrors=@mirrors.yaml")


@pytest.mark.parametrize(
    "value",
    [
        "network.git_mirrors={https://github.com/:https://m.example/}",  # what a shell leaves of {"a":"b"}
        "network.git_mirrors={https://github.com/: , https://gitlab.com/: /srv}",
        "network={git_mirrors: {https://github.com/:/srv/mirrors}}",
        "env={A:b}",
    ],
)
def test_a_value_that_got_lost_is_an_error(load_matrix, value):
    with pytest.raises(ConfigError, match="has no value"):
        load_matrix(MATRIX, value)


def test_a_value_that_is_there_or_removed_is_none(load_matrix):
    config = load_matrix(MATRIX, 'env={"A":"b", B: null, C: "", D: ~}').cell("child-gfx942").config
    assert config.env == {"A": "b", "C": ""}
