"""The contract of the cells of a matrix: pairs from pins, required capabilities, and the gate before a build."""

from __future__ import annotations

import json

import pytest

from rocmimg.cli import run
from rocmimg.contract.cells import gate, probes_of
from rocmimg.contract.check import Checker
from rocmimg.contract.stores import repository
from rocmimg.errors import ContractBroken, SourceError
from rocmimg.matrix import load

from .conftest import releases, write

YAML = """\
targets:
  sgl:
    gpu_archs: [gfx942, gfx950]
    base: rocm/pytorch:rocm7.2_ubuntu22.04_py3.10_pytorch_release_2.9.1
    components:
      aiter: {{repo: "{tmp}/aiter", ref: {pin}, capabilities: [aiter.a.fused]}}
      sglang: {{source: "local:fw"}}
  mirrored:
    extends: sgl
    network: {{git_mirrors: {{"https://example.org/": "{tmp}/"}}}}
    components:
      aiter: {{repo: "https://example.org/aiter", ref: v0.2.0}}
  base:
    gpu_archs: [gfx942]
    base: rocm/dev
    components:
      aiter: {{repo: "{tmp}/aiter", ref: v0.1.0}}
  top:
    gpu_archs: [gfx942]
    base: {{cell: base}}
    components:
      sglang: {{source: "local:fw"}}
  unreachable:
    gpu_archs: [gfx942]
    base: rocm/dev
    components:
      aiter: {{repo: "file://{tmp}/nothing", ref: v1}}
      sglang: {{source: "local:fw"}}
"""


@pytest.fixture
def matrix(tmp_path, monkeypatch):
    """A framework that needs v0.2.0 of its AITER; ``matrix("v0.1.0")`` pins the older one."""
    repository.cache_clear()
    monkeypatch.chdir(tmp_path)
    releases(
        tmp_path / "aiter",
        {
            "v0.1.0": {"aiter/__init__.py": "", "aiter/a.py": ""},
            "v0.2.0": {"aiter/__init__.py": "", "aiter/a.py": "def fused(q): ...\n"},
            "v0.3.0": {"aiter/__init__.py": "", "aiter/a.py": ""},
        },
    )
    write(tmp_path, {"fw/python/sglang/__init__.py": "from aiter.a import fused\n"})

    def pinned(pin: str):
        (tmp_path / "images.yaml").write_text(YAML.format(tmp=tmp_path, pin=pin))
        return load(tmp_path / "images.yaml")

    return pinned


def contracts(capsys, *arguments):
    code = run(["contract", *arguments, "--format", "json"])
    return code, json.loads(capsys.readouterr().out)


def test_cells_with_equal_pins_are_one_contract(matrix, capsys):
    matrix("v0.1.0")
    code, (only,) = contracts(capsys, "--target", "sgl")
    assert code == ContractBroken.exit_code
    assert (only["findings"][0]["target"], only["findings"][0]["window"]) == ("aiter.a.fused", "v0.2.0 (1 of 3 tags)")
    matrix("v0.2.0")
    assert contracts(capsys, "--target", "sgl")[0] == 0


def test_mirrors_of_the_cell_are_used(matrix, capsys):
    matrix("v0.1.0")
    code, (only,) = contracts(capsys, "--target", "mirrored")
    assert (code, only["resolved"]) == (0, 1)


def test_the_source_may_be_in_the_base_cell(matrix, capsys):
    matrix("v0.2.0")
    code, (only,) = contracts(capsys, "--target", "top")
    assert (code, only["findings"][0]["target"]) == (ContractBroken.exit_code, "aiter.a.fused")


def test_another_source_in_the_place_of_the_pin(matrix, capsys, tmp_path):
    matrix("v0.1.0")
    code, (only,) = contracts(capsys, "--target", "sgl", "--source", f"aiter={tmp_path / 'aiter'}@v0.2.0")
    assert (code, only["findings"]) == (0, [])


def test_what_cannot_be_read_is_not_run_and_the_rest_is(matrix, capsys):
    matrix("v0.2.0")
    assert run(["contract", "--target", "unreachable", "--target", "sgl"]) == SourceError.exit_code
    captured = capsys.readouterr()
    assert "0 errors" in captured.out
    assert "not run: " in captured.err
    assert "cannot clone" in captured.err
    assert "1 of 2 contracts were not run" in captured.err


def test_capabilities(matrix, capsys):
    matrix("v0.1.0")
    code = run(["contract", "required", "--target", "sgl", "--arch", "gfx942", "--with", "aiter=v0.2.0", "--json"])
    (row,) = json.loads(capsys.readouterr().out)
    assert code == ContractBroken.exit_code
    assert (row["cell"], row["has"], row["then"], row["change"]) == ("sgl-gfx942", "no", "yes", "won")
    matrix("v0.2.0")
    assert run(["contract", "required", "--target", "sgl", "--arch", "gfx942", "--with", "aiter=v0.3.0"]) == 0
    assert "lost" in capsys.readouterr().out


def test_another_pin_of_what_nobody_requires_is_a_wrong_command_line(matrix, capsys):
    matrix("v0.1.0")
    assert run(["contract", "required", "--target", "sgl", "--with", "aitre=v0.2.0"]) == 2
    assert "--with aitre: no selected cell requires a capability of it" in capsys.readouterr().err


def test_capability_takes_the_repository_from_the_matrix(matrix, capsys):
    matrix("v0.1.0")
    assert run(["contract", "window", "aiter.a.fused"]) == 0
    assert capsys.readouterr().out == "aiter.a.fused: v0.2.0 (1 of 3 tags)\n  from v0.2.0: (q)\n"
    assert run(["contract", "window", "mori.x"]) == SourceError.exit_code


def test_what_an_image_of_a_cell_is_asked(matrix):
    loaded = matrix("v0.1.0")
    with Checker() as checker:
        (probe,) = probes_of(checker, loaded.cell("sgl-gfx942"), loaded)
    assert probe.wanted == {"aiter.a.fused": "aiter.a"}
    assert probe.expected == {"aiter.a.fused": "missing"}


def test_the_gate(matrix):
    assert gate(matrix("v0.2.0"), ["sgl-gfx942", "sgl-gfx950"]) == []
    with pytest.raises(ContractBroken) as caught:
        gate(matrix("v0.3.0"), ["sgl-gfx942"])
    assert "python/sglang/__init__.py:1: aiter.a.fused is not there" in str(caught.value)
    assert "sgl-gfx942: requires aiter.a.fused" in str(caught.value)
    (unread,) = gate(matrix("v0.2.0"), ["unreachable-gfx942"])
    assert unread.startswith("not run: ")


def test_an_at_sign_in_a_local_folder_is_part_of_its_name(matrix, capsys, tmp_path):
    write(tmp_path, {"aiter@dev/aiter/__init__.py": "", "aiter@dev/aiter/a.py": "def fused(q): ...\n"})
    matrix("v0.1.0")
    local = ["--target", "sgl", "--arch", "gfx942", "--set", "components.aiter.source=local:aiter@dev"]
    assert run(["contract", "required", *local, "--json"]) == 0
    (row,) = json.loads(capsys.readouterr().out)
    assert (row["pin"], row["has"]) == ("aiter@dev", "yes")
    assert contracts(capsys, *local)[0] == 0


def test_picked_commits_are_not_read_and_a_note_says_so(matrix, capsys):
    matrix("v0.2.0")
    commit = "0" * 40
    _, (only,) = contracts(capsys, "--target", "sgl", "--set", f"components.aiter.picks=[{commit!r}]")
    assert only["notes"] == ["1 commit picked or reverted on top of aiter's pin is not read"]


SWITCHED = {
    "aiter/__init__.py": """\
        import os
        if os.getenv("AITER_TRITON_ONLY", "0") == "1":
            pass
        else:
            from .a import *
    """,
    "aiter/a.py": "def fused(q): ...\n",
}


@pytest.mark.parametrize(
    ("said", "there"),
    [
        ("", True),
        ("env: {AITER_TRITON_ONLY: 1}", False),
        ("env: {AITER_TRITON_ONLY: 0}", True),
        ("components: {aiter: {options: {triton_only: true, requirements: ''}}}", False),
        ("env: {UNRELATED: 1}", True),
    ],
)
def test_what_a_switch_of_the_images_environment_removes_is_not_there(tmp_path, monkeypatch, capsys, said, there):
    repository.cache_clear()
    monkeypatch.chdir(tmp_path)
    releases(tmp_path / "aiter", {"v0.1.0": SWITCHED})
    write(tmp_path, {"fw/python/sglang/__init__.py": "from aiter import fused\n"})
    (tmp_path / "images.yaml").write_text(f"""\
targets:
  common:
    gpu_archs: [gfx942]
    base: rocm/dev
    components:
      aiter: {{repo: "{tmp_path}/aiter", ref: v0.1.0, capabilities: [aiter.fused]}}
      sglang: {{source: "local:fw"}}
  sgl: {{extends: common, {said or "gpu_archs: [gfx942]"}}}
""")
    code, (only,) = contracts(capsys, "--target", "sgl")
    assert code == (0 if there else ContractBroken.exit_code)
    assert [finding["target"] for finding in only["findings"]] == ([] if there else ["aiter.fused"])
    assert ("AITER_TRITON_ONLY=1" in only["source"]) is not there
    matrix = load(tmp_path / "images.yaml")
    with Checker() as checker:
        (probe,) = probes_of(checker, matrix.cell("sgl-gfx942"), matrix)
    assert probe.expected["aiter.fused"] == ("there" if there else "missing")
    if there:
        gate(matrix, ["sgl-gfx942"])
    else:
        with pytest.raises(
            ContractBroken, match=r"requires aiter\.fused, which .* with AITER_TRITON_ONLY=1 does not have"
        ):
            gate(matrix, ["sgl-gfx942"])
