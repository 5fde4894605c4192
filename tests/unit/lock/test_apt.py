"""What mmdebstrap says of a list of Debian packages, and what is made of it."""

import subprocess

import pytest

from rocmimg.lock import apt
from rocmimg.matrix import load

ABSENT = """\
Reading package lists...
E: Unable to locate package libaio1t64
E: Package 'libold' has no installation candidate
"""
CLASH = """\
The following packages have unmet dependencies:
 postfix : Conflicts: mail-transport-agent
E: Unable to correct problems, you have held broken packages.
"""
NO_KEY = "W: GPG error: http://a noble InRelease: NO_PUBKEY 871920D1991BC93C\nE: The repository is not signed.\n"
DOWN = "E: Failed to fetch http://a/InRelease  Could not resolve 'a'\nE: mmdebstrap failed to run\n"

YAML = """\
targets:
  plain: {gpu_archs: [gfx942], base: {image: "debian:bookworm-slim", apt: [curl]}, apt: [LIST]}
  vendor: {gpu_archs: [gfx942], base: "rocm/dev-bookworm:1", apt: [LIST]}
  unknown: {gpu_archs: [gfx942], base: "rocm/sgl-dev:x", apt: [curl]}
  said: {gpu_archs: [gfx942], base: {image: "rocm/sgl-dev:x", release: jammy, apt: [curl]}}
  top: {gpu_archs: [gfx942], base: {cell: plain}, apt: [git]}
"""


@pytest.fixture
def checked(tmp_path, monkeypatch):
    """``checked(packages, answer)``: ``answer`` says for the packages of one simulation what mmdebstrap prints."""
    monkeypatch.setattr(apt.shutil, "which", lambda _: "/usr/bin/mmdebstrap")
    asked = []

    def run(packages, answer):
        def mmdebstrap(command, **_):
            names = [word.removeprefix("--include=") for word in command if word.startswith("--include=")]
            asked.append((command[-2], names))
            said = answer(names)
            return subprocess.CompletedProcess(command, int(bool(said)), "", said)

        monkeypatch.setattr(apt.subprocess, "run", mmdebstrap)
        (tmp_path / "images.yaml").write_text(YAML.replace("LIST", packages))
        matrix = load(tmp_path / "images.yaml")
        return (*apt.check_apt(matrix, matrix.cells), asked)

    return run


def test_one_simulation_answers_for_all_cells_of_a_release(checked):
    problems, not_run, asked = checked("libgood", lambda _: "")
    assert not problems
    assert asked == [("bookworm", ["curl", "git", "libgood"]), ("jammy", ["curl"])]
    assert not_run == ["not run: Debian packages of unknown-gfx942: the base's name says no release; set base.release"]


def test_what_a_release_does_not_have_is_an_error_unless_the_base_may_have_it_from_elsewhere(checked):
    problems, _, asked = checked(
        "libaio1t64, libgood, libold=1.2", lambda names: ABSENT if "libaio1t64" in names else ""
    )
    assert [(p.level, p.cells, p.message) for p in problems] == [
        ("error", ("plain-gfx942",), "the image: bookworm has no libaio1t64, libold"),
        ("warning", ("vendor-gfx942",), "the image: bookworm has no libaio1t64, libold"),
    ]
    assert asked[1] == ("bookworm", ["curl", "git", "libgood"])


def test_lists_that_do_not_fit_together_are_not_each_others_fault(checked):
    def answer(names):
        return CLASH if {"exim", "postfix"} <= set(names) or {"git", "postfix"} <= set(names) else ""

    problems, _, _ = checked("exim, postfix", answer)
    assert [p.cells for p in problems] == [("plain-gfx942",), ("vendor-gfx942",)]
    assert "postfix : Conflicts: mail-transport-agent" in problems[0].message
    assert not checked("postfix", answer)[0]


@pytest.mark.parametrize(("said", "why"), [(NO_KEY, "keyring"), (DOWN, "Could not resolve")])
def test_an_archive_that_cannot_be_read_is_not_run(checked, said, why):
    problems, not_run, _ = checked("libgood", lambda _: said)
    assert not problems
    assert any("plain-gfx942" in line and why in line for line in not_run)
