"""The command line: verbs in this process, and what only a process shows in one of its own."""

import json
import os
import subprocess
import sys

import click
import pytest
from click.testing import CliRunner

from rocmimg.cli import run

MATRIX = "targets:\n  t:\n    gpu_archs: [gfx942, gfx950]\n    base: debian:testing\n"


@pytest.fixture
def process(tmp_path):
    """rocmimg in a process of its own."""
    (tmp_path / "images.yaml").write_text(MATRIX)

    def call(*args, **env):
        return subprocess.run(
            [sys.executable, "-m", "rocmimg", *args],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
            env={"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), **env},
        )

    return call


@pytest.fixture
def rocmimg(tmp_path, monkeypatch, capsys):
    """The function that the console script calls, in this process: what it prints, and the exit code."""
    (tmp_path / "images.yaml").write_text(MATRIX)
    monkeypatch.chdir(tmp_path)

    def call(*args, **env):
        with monkeypatch.context() as patch:
            for name in [name for name in os.environ if name.startswith(("ROCMIMG_", "DOCKER_"))]:
                patch.delenv(name)
            patch.setenv("ROCMIMG_CACHE", str(tmp_path / "cache"))
            for name, value in env.items():
                patch.setenv(name, value)
            code = run([os.fsdecode(arg) for arg in args])
        printed = capsys.readouterr()
        return subprocess.CompletedProcess(args, code, printed.out, printed.err)

    return call


def test_list_json_has_what_was_promised(rocmimg):
    rows = json.loads(rocmimg("list", "--json").stdout)
    assert [row["id"] for row in rows] == ["t-gfx942", "t-gfx950"]
    assert rows[0].keys() >= {"id", "target", "gpu_arch", "base", "flags", "components", "tags"}


def test_render_prints_one_cell(rocmimg):
    done = rocmimg("render", "--target", "t", "--arch", "gfx942")
    assert done.returncode == 0
    assert "FROM debian:testing AS base" in done.stdout


def test_render_of_several_wants_a_folder(rocmimg):
    done = rocmimg("render")
    assert done.returncode == 2
    assert "--output DIR" in done.stderr


@pytest.mark.parametrize("verb", ["explain", "diff"])
def test_a_verb_about_one_cell_refuses_a_target_of_two(rocmimg, verb):
    done = rocmimg(verb, "t", *(["t-gfx942"] if verb == "diff" else []))
    assert done.returncode == 2
    assert "t names 2 cells: t-gfx942, t-gfx950. Name one." in done.stderr
    assert rocmimg("list", "t").stdout == rocmimg("list").stdout


def test_render_writes_one_folder_a_cell(rocmimg, tmp_path):
    assert rocmimg("render", "-o", "out").returncode == 0
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["t-gfx942", "t-gfx950"]


def test_an_error_is_one_line_with_the_code_of_its_kind(process):
    done = process("list", "--set", "flagz.A=1")
    assert done.returncode == 3
    assert done.stderr.startswith("rocmimg: configuration: command line: unknown key flagz; did you mean")
    assert "Traceback" not in done.stderr


def test_a_matrix_that_links_to_itself_is_an_error_of_ours(rocmimg, tmp_path):
    (tmp_path / "loop").symlink_to("loop")
    done = rocmimg("list", "-f", "loop")
    assert done.returncode == 3
    assert "loop cannot be read; Too many levels of symbolic links" in done.stderr


def test_a_value_in_another_encoding_is_an_error_of_ours(rocmimg):
    done = rocmimg("list", "--set", b"version=\xff")
    assert done.returncode == 3
    assert "--set version is not UTF-8" in done.stderr


def test_a_file_that_cannot_be_written_is_named(rocmimg, tmp_path):
    (tmp_path / "Dockerfile").write_text("FROM scratch\n")
    done = rocmimg("lint", "Dockerfile", "--no-external", "-o", "gone/report.txt")
    assert done.returncode == 8
    assert done.stderr == "rocmimg: the report gone/report.txt could not be written: No such file or directory\n"


def test_a_wrong_option_is_called_by_its_name(rocmimg):
    assert "--with nope: write for instance" in rocmimg("contract", "required", "--with", "nope").stderr


def test_debug_shows_the_traceback(rocmimg):
    assert "Traceback" in rocmimg("--debug", "list", "--set", "flagz.A=1").stderr


def test_an_unknown_verb_says_which_was_meant(rocmimg):
    done = rocmimg("biuld")
    assert done.returncode == 2
    assert "Did you mean 'build'?" in done.stderr


def test_an_engine_that_is_not_there(process):
    done = process("build", DOCKER_HOST="unix:///nowhere.sock")
    assert done.returncode == 5
    assert "Traceback" not in done.stderr


def test_settings_come_from_the_environment_too(rocmimg):
    rows = json.loads(rocmimg("list", "--json", ROCMIMG_SET="version=v7").stdout)
    assert rows[0]["tags"] == ["rocmimg:v7-t-mi30x"]
    rows = json.loads(rocmimg("list", "--json", "--set", "image=mine", ROCMIMG_SET="version=v7").stdout)
    assert rows[0]["tags"] == ["mine:v7-t-mi30x"]


def test_a_version_of_the_environment_is_one_value(rocmimg):
    rows = json.loads(rocmimg("list", "--json", ROCMIMG_VERSION="v7").stdout)
    assert rows[0]["tags"] == ["rocmimg:v7-t-mi30x"]
    done = rocmimg("list", ROCMIMG_VERSION="v7 release.requires=[]")
    assert done.returncode == 3
    assert "is not an image tag" in done.stderr


def test_quotes_of_the_environment_that_do_not_end(rocmimg):
    done = rocmimg("list", ROCMIMG_SET="a='")
    assert done.returncode == 2
    assert "ROCMIMG_SET: No closing quotation" in done.stderr
    assert "Traceback" not in done.stderr


def test_every_verb_has_help_and_its_module():
    from rocmimg.cli import VERBS, cli

    for verb in VERBS:
        done = CliRunner().invoke(cli, [verb, "--help"])
        assert done.exit_code == 0, (verb, done.output)
        for inner in getattr(cli.get_command(click.Context(cli), verb), "list_commands", lambda _: [])(None):
            assert CliRunner().invoke(cli, [verb, inner, "--help"]).exit_code == 0, (verb, inner)


def test_help_imports_no_verb_and_no_heavy_library():
    code = (
        "import sys, rocmimg.cli as c; c.run(['--help']);"
        "print([m for m in ('docker', 'jinja2', 'pydantic', 'rich', 'pytest', 'yaml') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


@pytest.mark.parametrize("form", ["text", "json", "sarif", "github", "markdown"])
def test_the_linter_imports_nothing_of_the_rooms_that_it_does_not_need(tmp_path, form):
    path = tmp_path / "Dockerfile"
    path.write_text("FROM rocm/pytorch:latest\nRUN pip install torch\n")
    heavy = {"docker", "jinja2", "pydantic", "rich", "pytest", "yaml", "msgspec"}
    rooms = {"checks", "contract", "matrix", "plan", "engine", "registry", "release", "builds", "render"}
    code = (
        "import sys, rocmimg.cli as c; form, path, *heavy = sys.argv[1:];"
        "c.run(['lint', '--format', form, '-o', path + '.report', path]);"
        "print(sorted(set(heavy) & set(sys.modules)))"
    )
    names = (*heavy, *(f"rocmimg.{room}" for room in rooms))
    done = subprocess.run([sys.executable, "-c", code, form, path, *names], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


def test_shell_completion_is_clicks(process):
    done = process(_ROCMIMG_COMPLETE="bash_source")
    assert "complete" in done.stdout


BASES = """\
targets:
  lower: {gpu_archs: [gfx942], base: debian:12, tags: ["{version}-lower"]}
  upper: {gpu_archs: [gfx942], base: {cell: lower}, tags: ["{version}-upper"]}
"""


def test_a_version_of_the_environment_is_that_of_the_bases_too(rocmimg, tmp_path):
    (tmp_path / "images.yaml").write_text(BASES)
    where = ("--file", str(tmp_path / "images.yaml"))
    assert "FROM rocmimg:v7-lower" in rocmimg("render", "upper", *where, ROCMIMG_VERSION="v7").stdout
    # A setting is one of the selected cells alone.
    assert "FROM rocmimg:dev-lower" in rocmimg("render", "upper", *where, "--set", "version=v7").stdout


@pytest.mark.parametrize("version", ["@images.yaml", "1.20", "null"])
def test_a_version_of_the_environment_is_text(rocmimg, version):
    done = rocmimg("list", "--json", ROCMIMG_VERSION=version)
    if version.startswith("@"):
        assert (done.returncode, "is not an image tag" in done.stderr) == (3, True)
    else:
        assert json.loads(done.stdout)[0]["tags"] == [f"rocmimg:{version}-t-mi30x"]
