"""Keys that had more than one meaning: an old one says what it is called now."""

import pytest

from rocmimg.errors import ConfigError

GOOD = "targets:\n  t:\n    gpu_archs: [gfx942]\n    base: debian:testing\n"
COMPONENT = GOOD + "    components:\n      aiter: {repo: https://e.org/a, ref: v1, "


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("archs: {gfx1: {alias: x}}\n" + GOOD, "images.yaml:1: archs is called architectures now; rename the key"),
        (GOOD + "    archs: {gfx942: {}}\n", "images.yaml:5: targets.t.archs is called per_arch now"),
        (COMPONENT + "archs: [gfx942]}\n", "images.yaml:6: components.aiter.archs is called gpu_archs now"),
        (COMPONENT + "tools: {cmake: '4'}}\n", "images.yaml:6: components.aiter.tools is called build_pip now"),
        (COMPONENT + "requires: [a.b]}\n", "images.yaml:6: components.aiter.requires is called capabilities now"),
        (GOOD + "    tools: {cmake: '4'}\n", "images.yaml:5: targets.t.tools is called common_pip now"),
        (GOOD + "    keep: [torch]\n", "images.yaml:5: targets.t.keep is called protect now"),
        (GOOD + "    remove: [torch]\n", "images.yaml:5: targets.t.remove is called uninstall now"),
        (GOOD + "    release: {requires: [gpu]}\n", "images.yaml:5: release.requires is called required_tiers now"),
        (
            GOOD + "    release: {candidates: x}\n",
            "images.yaml:5: release.candidates is called candidate_repo",
        ),
        ("defaults: {source: https://e.org}\n" + GOOD, "images.yaml:1: defaults.source is called source_url now"),
        (GOOD + "    archz: {}\n", "images.yaml:5: unknown key targets.t.archz"),
    ],
)
def test_an_old_key(load_matrix, text, says):
    with pytest.raises(ConfigError) as caught:
        load_matrix(text)
    assert str(caught.value).startswith(says)


def test_an_old_key_of_a_recipe(load_matrix, tmp_path):
    folder = tmp_path / "templates/components"
    folder.mkdir(parents=True)
    (folder / "sdk.yaml").write_text("description: d\nfoundation: true\ntools: {cmake: '4'}\n")
    with pytest.raises(ConfigError) as caught:
        load_matrix(GOOD + "    components: {sdk: {}}\n")
    said = str(caught.value).splitlines()
    assert "templates/components/sdk.yaml:2: foundation is called in_base_stage now; rename the key" in said
    assert "templates/components/sdk.yaml:3: tools is called build_pip now; rename the key" in said


def test_a_set_of_an_old_key(load_matrix):
    with pytest.raises(ConfigError, match="command line: keep is called protect now"):
        load_matrix(GOOD, "keep=[torch]")
