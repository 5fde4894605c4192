"""Git mirrors: what git is told, and which folders are served."""

from rocmimg.matrix.cascade import set_network
from rocmimg.matrix.mirrors import instead_of, mirrors_of, with_served_folders

MATRIX = """
    targets:
      one:
        gpu_archs: [gfx942]
        base: debian:testing
        network: {git_mirrors: {"https://github.com/": /srv/github, "https://gitlab.com/": https://m.example/gitlab}}
      two:
        gpu_archs: [gfx942]
        base: debian:testing
        network: {git_mirrors: {"https://github.com/": ./mirrors/, "https://example.org/a.git": "file:///srv/a.git"}}
      three:
        gpu_archs: [gfx942]
        base: debian:testing
"""


def test_settings_of_git_are_added_to_those_of_the_environment():
    found = instead_of({"https://a/": "https://b/"}, {"GIT_CONFIG_COUNT": "2"})
    assert found == {
        "GIT_CONFIG_COUNT": "3",
        "GIT_CONFIG_KEY_2": "url.https://b/.insteadOf",
        "GIT_CONFIG_VALUE_2": "https://a/",
    }
    assert instead_of({}, {"GIT_CONFIG_COUNT": "2"}) == {}


def test_folders_are_served_each_where_it_is(load_matrix, tmp_path):
    asked = []

    def serve(folder):
        asked.append(folder.resolve())
        return f"http://127.0.0.1:{len(asked)}/"

    matrix = with_served_folders(load_matrix(MATRIX), serve)
    assert dict(matrix.cell("one-gfx942").config.network.git_mirrors) == {
        "https://github.com/": "http://127.0.0.1:1/",
        "https://gitlab.com/": "https://m.example/gitlab/",
    }
    assert list(map(str, asked)) == ["/srv/github", str(tmp_path / "mirrors"), "/srv/a.git"]
    assert matrix.cell("three-gfx942").config.network.git_mirrors == {}
    assert set(mirrors_of(matrix.cells)) == {"https://github.com/", "https://gitlab.com/", "https://example.org/a.git"}


def test_mirrors_of_a_verb_without_a_matrix():
    sets = ("version=v1", "network.git_mirrors[https://github.com/]=/srv/mirrors", "network.engine_mode=host")
    assert set_network(sets).git_mirrors == {"https://github.com/": "/srv/mirrors/"}
    assert set_network(()).git_mirrors == {}
