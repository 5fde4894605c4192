"""`rocmimg lint` as a user runs it."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import yaml

from rocmimg.cli import run
from rocmimg.lint import external
from rocmimg.lint.runner import find_files

BAD = "FROM rocm/pytorch:rocm7.2\nWORKDIR /src\nRUN cd aiter && GPU_ARCHS=gfx942 pip3 install -e .\n"
CURL = (
    "FROM ubuntu:24.04@sha256:" + "0" * 64 + "\nRUN bash -c 'curl -fsSLO https://a.b/c && wget -q \"https://a.b/d\"'\n"
)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def findings(capsys: pytest.CaptureFixture[str], *args: str) -> tuple[int, list[tuple[str, str, int]]]:
    capsys.readouterr()
    code = run(["lint", "--json", *args])
    content = json.loads(capsys.readouterr().out)
    return code, [(f["file"], f["rule"], f["line"]) for f in content["findings"]]


def test_errors_end_with_one_and_warnings_with_zero(capsys: pytest.CaptureFixture[str]) -> None:
    Path("Dockerfile").write_text(BAD)
    Path("other.Dockerfile").write_text(CURL)
    code, found = findings(capsys, "Dockerfile")
    assert code == 1
    assert ("Dockerfile", "ROC009", 3) in found
    code, found = findings(capsys, "other.Dockerfile")
    assert code == 0
    assert found


def test_a_folder_is_searched_for_dockerfiles(capsys: pytest.CaptureFixture[str]) -> None:
    for name in (
        "a/Dockerfile",
        "a/rocm.Dockerfile",
        "b/Dockerfile.rocm_base",
        "Containerfile",
        "x/Dockerfile.md",
        "notes",
    ):
        Path(name).parent.mkdir(exist_ok=True)
        Path(name).write_text(CURL)
    _, found = findings(capsys, ".")
    assert {file for file, _, _ in found} == {
        "a/Dockerfile",
        "a/rocm.Dockerfile",
        "b/Dockerfile.rocm_base",
        "Containerfile",
    }


def test_fix_changes_what_is_mechanical_and_nothing_else(capsys: pytest.CaptureFixture[str]) -> None:
    Path("Dockerfile").write_text(BAD)
    Path("other.Dockerfile").write_text(CURL)
    _, before = findings(capsys, ".")
    code, after = findings(capsys, ".", "--fix")
    assert code == 0
    assert Path("Dockerfile").read_text() == BAD.replace(
        "install -e", "install --config-settings editable_mode=compat -e"
    )
    assert Path("other.Dockerfile").read_text() == CURL.replace(
        "curl", "curl --retry 5 --retry-delay 3 --retry-all-errors"
    ).replace("wget", "wget --tries=5 --retry-connrefused")
    assert {rule for _, rule, _ in before} - {rule for _, rule, _ in after} == {"ROC009", "ROC037"}
    assert set(after) <= set(before)
    assert findings(capsys, ".", "--fix") == (0, after)


def test_build_arguments_of_ci_are_held_against_the_file(capsys: pytest.CaptureFixture[str]) -> None:
    Path("Dockerfile").write_text(
        "FROM scratch AS x\nENV AITER_COMMIT=v1\nFROM x\nARG OTHER\nRUN echo $OTHER $AITER_COMMIT\n"
    )
    assert findings(capsys, "Dockerfile", "--build-arg", "OTHER=1")[0] == 0
    code, found = findings(capsys, "Dockerfile", "--build-arg", "AITER_COMMIT=v2")
    assert (code, found) == (1, [("Dockerfile", "ROC016", 1)])


def test_one_rule_only(capsys: pytest.CaptureFixture[str]) -> None:
    Path("Dockerfile").write_text(BAD)
    assert {rule for _, rule, _ in findings(capsys, "Dockerfile", "--rule", "roc034")[1]} == {"ROC034"}


def test_what_is_not_there_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["lint", "nowhere"]) == 12
    assert run(["lint"]) == 2
    assert run(["lint", "--explain", "ROC999"]) == 3
    Path("empty").mkdir()
    assert run(["lint", "empty"]) == 12
    assert "Traceback" not in capsys.readouterr().err


def test_explain_and_list(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["lint", "--explain", "roc009"]) == 0
    assert "editable_mode=compat" in capsys.readouterr().out
    assert run(["lint", "--list"]) == 0
    assert "ROC054" in capsys.readouterr().out


def test_a_report_in_a_file(capsys: pytest.CaptureFixture[str]) -> None:
    Path("Dockerfile").write_text(CURL)
    assert run(["lint", "--format", "sarif", "-o", "out.sarif", "Dockerfile"]) == 0
    assert json.loads(Path("out.sarif").read_text())["version"] == "2.1.0"
    assert capsys.readouterr().out.startswith("1 file:")


def test_the_waivers_file_of_the_folder_is_used(capsys: pytest.CaptureFixture[str]) -> None:
    Path("Dockerfile").write_text(BAD)
    Path(".rocmimg-lint.yaml").write_text(
        "waivers:\n  - {path: Dockerfile, rules: [ROC009], reason: asserted elsewhere, until: 2999-01-01}\n"
    )
    assert findings(capsys, "Dockerfile")[0] == 0


def test_hadolint_and_shellcheck_add_what_we_do_not_say(capsys: pytest.CaptureFixture[str]) -> None:
    Path("Dockerfile").write_text(
        "FROM ubuntu:latest\nRUN apt-get update && apt-get install -y hipcc\nRUN bash -c 'cat $1; echo `id`'\n"
    )
    assert run(["lint", "--json", "--external", "Dockerfile"]) == 0
    found = json.loads(capsys.readouterr().out)["findings"]
    rules = {(f["rule"], f["line"]) for f in found}
    assert ("DL3015", 2) in rules  # hadolint's own
    assert ("SC2086", 3) in rules  # inside the quoted script, where hadolint does not look
    assert not {"DL3007", "DL3009"} & {rule for rule, _ in rules}  # ours say the same
    assert len(rules) == len(found)
    assert all(f["level"] != "error" for f in found)


def test_a_file_that_hadolint_cannot_read_is_said_to_be_so(capsys: pytest.CaptureFixture[str]) -> None:
    Path("Dockerfile").write_text("FROM scratch\nRUN python3 <<'PY'\nprint(1)\nPY\nARG A=1\nRUN echo $A\n")
    assert run(["lint", "--json", "--external", "Dockerfile"]) == 0
    found = json.loads(capsys.readouterr().out)["findings"]
    assert [(f["rule"], f["level"]) for f in found] == [("DL1000", "note")]
    assert "checked nothing" in found[0]["message"]


@pytest.mark.parametrize("tool", ["hadolint", "shellcheck"])
def test_a_tool_that_does_not_end_is_left_and_named(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tool: str
) -> None:
    slow = Path("slow")
    slow.write_text("#!/bin/sh\nexec sleep 300\n")
    slow.chmod(0o755)
    monkeypatch.setattr(external, "find", lambda name: str(slow.absolute()) if name == tool else None)
    monkeypatch.setattr(external, f"_{tool.upper()}_SECONDS", (0.2, 0.0))
    Path("Dockerfile").write_text("FROM scratch\n" + "RUN bash -c 'cat $1'\n" * 40)
    assert run(["lint", "--json", "--external", "Dockerfile"]) == 0
    found = [f for f in json.loads(capsys.readouterr().out)["findings"] if not f["rule"].startswith("ROC")]
    (told,) = found
    assert told["level"] == "note"
    assert {"hadolint": "gave no answer in time", "shellcheck": "did not read 40 scripts"}[tool] in told["message"]


def test_the_hook_of_pre_commit_takes_the_files_that_a_folder_search_takes() -> None:
    hook = yaml.safe_load((Path(__file__).parents[3] / ".pre-commit-hooks.yaml").read_text())[0]
    names = [
        "Dockerfile",
        "a/rocm.Dockerfile",
        "Dockerfile.rocm_base",
        "Containerfile",
        "dockerfile-x",
        "Dockerfile.md",
    ]
    names += [
        "Dockerfile.dockerignore",
        "my-dockerfile",
        "Dockerfile.j2",
        "Dockerfile.tpl",
        "Dockerfile.in",
        "Dockerfiles",
        "a.Dockerfile.png",
    ]
    for name in names:
        Path(name).parent.mkdir(exist_ok=True)
        Path(name).write_text(CURL)
    hooked = {n for n in names if re.search(hook["files"], n) and not re.search(hook["exclude"], n)}
    assert {str(path) for path in find_files([Path()])} == hooked
    assert hooked == set(names[:5])


def test_hadolint_is_corrected_about_the_shell_of_a_parent_stage(capsys: pytest.CaptureFixture[str]) -> None:
    text = (
        'FROM scratch AS a\nSHELL ["/bin/bash", "-euxo", "pipefail", "-c"]\n{}FROM a\nRUN echo "${{A/b/c}}" | tee f\n'
    )
    for between, codes in (("", set()), ('SHELL ["/bin/sh", "-c"]\n', {"DL4006", "SC3060"})):
        Path("Dockerfile").write_text(text.format(between))
        run(["lint", "--json", "--external", "Dockerfile"])
        found = {f["rule"] for f in json.loads(capsys.readouterr().out)["findings"]}
        assert found & {"DL4006", "SC3060"} == codes
