"""What the plan knows: order, inputs, digest, context."""

import contextlib
import os
import shutil

import pytest

from rocmimg.errors import SourceError
from rocmimg.plan import make_plan
from rocmimg.plan.export import write_contexts

MATRIX = """
    targets:
      app:
        gpu_archs: [gfx942]
        base: {cell: ground}
        components:
          mine: {uses: aiter, source: local:src, module: mine}
      ground:
        gpu_archs: [{all: [gfx942, gfx950]}]
        base: debian:testing
        tags: ["{version}"]
"""


@pytest.fixture
def source(tmp_path):
    folder = tmp_path / "src"
    (folder / "pkg").mkdir(parents=True)
    (folder / "setup.py").write_text("x")
    (folder / "pkg" / "a.py").write_text("a")
    return folder


@pytest.fixture
def image(load_matrix, source):
    def plan(*sets, cell="app-gfx942"):
        return make_plan(load_matrix(MATRIX, *sets), [cell])[cell]

    return plan


def test_a_base_cell_comes_first_and_is_what_the_other_starts_from(load_matrix, source):
    plan = make_plan(load_matrix(MATRIX), ["app-gfx942"])
    assert [image.id for image in plan.images] == ["ground-all", "app-gfx942"]
    assert plan["app-gfx942"].needs == "ground-all"
    assert plan["app-gfx942"].dockerfile.count("FROM rocmimg:dev AS base") == 1


class TestDigest:
    def test_the_content_of_a_program_that_a_recipe_mounts_is_an_input(self, image, tmp_path):
        before = image()
        programs = [one for one in before.inputs if one.kind == "file"]
        assert programs
        folder = tmp_path / "templates" / "files"
        folder.mkdir(parents=True)
        for program in programs:
            (folder / program.name).write_text("another program\n")
        after = image()
        assert after.dockerfile == before.dockerfile
        assert after.digest("sha256:1") != before.digest("sha256:1")
        changed = {one.name for one in after.inputs if one not in before.inputs and one.kind == "file"}
        assert changed == {one.name for one in programs}

    def test_same_inputs_same_digest(self, image):
        assert image().digest("sha256:1") == image().digest("sha256:1")

    def test_the_base_images_id_is_an_input(self, image):
        assert image().digest("sha256:1") != image().digest("sha256:2")

    def test_a_changed_file_changes_its_component_only(self, image, source):
        before = image().named_inputs
        (source / "pkg" / "a.py").write_text("b")
        after = image().named_inputs
        assert [name for name in after if after[name] != before[name]] == ["source of mine", "manifest"]

    @pytest.mark.parametrize("change", ["chmod", "rename", "link", "add"])
    def test_names_modes_and_links_count(self, image, source, change):
        before = image().digest("")
        file = source / "pkg" / "a.py"
        match change:
            case "chmod":
                file.chmod(0o755)
            case "rename":
                file.rename(source / "pkg" / "b.py")
            case "link":
                file.unlink()
                file.symlink_to("../setup.py")
            case "add":
                (source / "new").write_text("")
        assert image().digest("") != before

    def test_times_and_owners_do_not(self, image, source, tmp_path):
        before = image().digest("")
        shutil.copytree(source, tmp_path / "copy")
        shutil.rmtree(source)
        (tmp_path / "copy").rename(source)
        assert image().digest("") == before

    def test_how_the_network_is_reached_does_not(self, image, tmp_path):
        (tmp_path / "ca.pem").write_text("one")
        before = image("network.ca_bundle=ca.pem")
        (tmp_path / "ca.pem").write_text("two")
        after = image("network.ca_bundle=ca.pem")
        assert after.digest("") == before.digest("")
        assert any(file.path.endswith("ca.pem") for file in after.context)

    def test_nor_whether_anything_has_to_be_said_about_it(self, load_matrix):
        text = """
            targets:
              t:
                gpu_archs: [gfx942]
                base: debian:testing
                components: {aiter: {repo: "https://example.org/a", ref: v1}}
        """
        plain = make_plan(load_matrix(text), ["t-gfx942"]).images[0]
        proxied = make_plan(load_matrix(text, "network.http_proxy=http://proxy:3128"), ["t-gfx942"]).images[0]
        assert plain.dockerfile != proxied.dockerfile
        assert plain.digest("") == proxied.digest("")

    def test_a_changed_pin_changes_the_stage_of_its_component(self, load_matrix):
        text = """
            targets:
              t:
                gpu_archs: [gfx942]
                base: debian:testing
                flags: {BUILD_LLVM: true}
                components:
                  llvm: {repo: https://example.org/l, ref: v1}
                  aiter: {repo: https://example.org/a, ref: v1}
        """
        before = make_plan(load_matrix(text), ["t-gfx942"]).images[0].named_inputs
        after = make_plan(load_matrix(text, "components.aiter.ref=v2"), ["t-gfx942"]).images[0].named_inputs
        assert [name for name in after if after[name] != before[name]] == ["stage aiter", "manifest"]


class TestDockerignore:
    @pytest.mark.parametrize(
        ("patterns", "left"),
        [
            ("", {"setup.py", "pkg/a.py", "pkg/b.pyc", "c.pyc"}),
            ("*.pyc", {"setup.py", "pkg/a.py", "pkg/b.pyc"}),
            ("**/*.pyc", {"setup.py", "pkg/a.py"}),
            ("pkg\n!pkg/a.py", {"setup.py", "c.pyc", "pkg/a.py"}),
            ("# comment\n/pkg/", {"setup.py", "c.pyc"}),
        ],
    )
    def test_patterns_are_anchored_as_dockers_are(self, image, source, patterns, left):
        (source / "pkg" / "b.pyc").write_text("")
        (source / "c.pyc").write_text("")
        (source / ".dockerignore").write_text(patterns)
        paths = {file.path.removeprefix("sources/mine/") for file in image().context}
        assert {path for path in paths if not path.startswith(".")} == left

    @pytest.mark.parametrize(
        ("content", "says"),
        [
            (b"ok\n[z-a]\n", r"dockerignore:2: '\[z-a\]' is not a pattern; "),
            (b"\xff\xfe", "is not UTF-8; .*; save it as UTF-8 text"),
        ],
    )
    def test_a_wrong_one_is_named_with_its_line(self, image, source, content, says):
        (source / ".dockerignore").write_bytes(content)
        with pytest.raises(SourceError, match=says):
            image()

    @pytest.mark.parametrize("pattern", ["[", "[z-a]", "a[b", "\\", "**", "/", "[[:no:]]", "***/[!]", "\x01"])
    def test_no_pattern_is_a_defect(self, image, source, pattern):
        (source / ".dockerignore").write_text(pattern)
        with contextlib.suppress(SourceError):
            image()

    def test_names_that_are_not_utf8_are_refused_unless_left_out(self, image, source):
        folder = source / os.fsdecode(b"caf\xe9")
        folder.mkdir()
        (folder / "x").write_text("")
        with pytest.raises(SourceError, match=r"the name 'caf.udce9/x' is not UTF-8; .*leave it out with a pattern"):
            image()
        (source / ".dockerignore").write_text("caf*\n")
        assert image()

    def test_a_link_to_such_a_name_is_refused(self, image, source):
        (source / "link").symlink_to(os.fsdecode(b"caf\xe9"))
        with pytest.raises(SourceError, match="is not UTF-8"):
            image()


def test_a_missing_source_names_its_line(load_matrix):
    with pytest.raises(SourceError, match=r"images.yaml:6: the folder .* does not exist"):
        make_plan(load_matrix(MATRIX), ["app-gfx942"])


class TestExport:
    def test_a_context_is_written_whole(self, image, tmp_path):
        (dockerfile,) = write_contexts([image()], tmp_path / "out")
        assert dockerfile.read_text() == image().dockerfile
        assert (dockerfile.parent / "sources/mine/pkg/a.py").read_text() == "a"

    def test_a_second_time_leaves_nothing_of_the_first(self, image, source, tmp_path):
        list(write_contexts([image()], tmp_path / "out"))
        (source / "pkg" / "a.py").unlink()
        (dockerfile,) = write_contexts([image()], tmp_path / "out")
        assert not (dockerfile.parent / "sources/mine/pkg/a.py").exists()

    def test_a_folder_of_somebody_else_is_left_alone(self, image, tmp_path):
        mine = tmp_path / "out" / "app-gfx942"
        mine.mkdir(parents=True)
        (mine / "thesis.tex").write_text("years of work")
        with pytest.raises(Exception, match="was not written by rocmimg"):
            list(write_contexts([image()], tmp_path / "out"))
        assert (mine / "thesis.tex").read_text() == "years of work"


def test_labels_say_what_the_image_is(image):
    labels = image("version=v1").labels
    assert labels["org.opencontainers.image.version"] == "v1"
    assert labels["org.opencontainers.image.base.name"] == "rocmimg:v1"
    assert labels["io.rocmimg.cell"] == "app-gfx942"
