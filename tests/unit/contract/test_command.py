"""``rocmimg contract`` as a user and as a pipeline see it."""

from __future__ import annotations

import json

import pytest

from rocmimg.cli import run
from rocmimg.errors import ConfigError, ContractBroken, SourceError

from .conftest import write

KEYS = {"target", "file", "line", "when", "guard", "verdict", "level", "window", "nearest", "message"}


@pytest.fixture
def world(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write(
        tmp_path,
        {
            "fw/fw/__init__.py": "from aiter import gone\n",
            "fw/fw/lazy.py": "def f():\n    from aiter import other\n",
            "src/aiter/__init__.py": "x = 1\n",
        },
    )
    return ["contract", "--framework", "fw", "--source", "aiter=src"]


def test_json(world, capsys):
    assert run([*world, "--format", "json"]) == ContractBroken.exit_code
    shown = json.loads(capsys.readouterr().out)
    assert (shown["uses"], shown["resolved"], shown["unknown"]) == (2, 0, 0)
    assert [(f["target"], f["level"]) for f in shown["findings"]] == [
        ("aiter.gone", "error"),
        ("aiter.other", "warning"),
    ]
    assert set(shown["findings"][0]) >= KEYS


def test_text_says_what_where_and_how_much_was_seen(world, capsys):
    assert run(world) == ContractBroken.exit_code
    captured = capsys.readouterr()
    assert "2 uses of 2 names in 2 files: 0 resolved" in captured.out
    assert "ERROR  aiter.gone is not there\n    fw/__init__.py:1  fails on import" in captured.out
    assert "1 error, 1 warning, 0 unknown, 0 info" in captured.out
    assert captured.err.startswith("rocmimg: contract: 1 use fails on import")
    assert "Traceback" not in captured.err


def test_sarif(world, capsys):
    run([*world, "--format", "sarif"])
    (log,) = json.loads(capsys.readouterr().out)["runs"]
    assert {rule["id"] for rule in log["tool"]["driver"]["rules"]} >= {r["ruleId"] for r in log["results"]}
    first = log["results"][0]
    assert (first["ruleId"], first["level"]) == ("missing-name", "error")
    place = first["locations"][0]["physicalLocation"]
    assert (place["artifactLocation"]["uri"], place["region"]["startLine"]) == ("fw/__init__.py", 1)


def test_annotations(world, capsys):
    run([*world, "--format", "github"])
    first = capsys.readouterr().out.splitlines()[0]
    assert first.startswith("::error file=fw/__init__.py,line=1,title=contract missing-name::")


def test_markdown(world, capsys):
    run([*world, "--format", "markdown"])
    shown = capsys.readouterr().out
    assert shown.startswith("#### `")
    assert "\n1 error, " in shown
    assert "| error | aiter" in shown.replace("\\", "")


def test_a_warning_alone_breaks_nothing(world, tmp_path):
    (tmp_path / "fw/fw/__init__.py").write_text("")
    assert run(world) == 0


def test_baseline(world, tmp_path, capsys):
    (tmp_path / "accepted.yaml").write_text(
        "- target: aiter.gone\n  file: fw/*\n  reason: this backend is off in our images\n"
        "- target: aiter.no_more\n  reason: fixed long ago\n"
    )
    assert run([*world, "--baseline", "accepted.yaml", "--format", "json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown["findings"][0]["accepted"] == "this backend is off in our images"
    assert shown["notes"][0] == "accepted.yaml:4: accepts nothing: aiter.no_more"


@pytest.mark.parametrize(
    ("text", "position", "what"),
    [
        ("- target: aiter.gone\n", "accepted.yaml:1", "without a reason"),
        ("- reason: x\n", "accepted.yaml:1", "without a target"),
        ("- target: a\n  reson: x\n", "accepted.yaml:2", "unknown key 'reson'"),
        ("target: a\n", "accepted.yaml:1", "is a list"),
        ("- [\n", "accepted.yaml:2", "not YAML"),
    ],
)
def test_a_wrong_baseline(world, tmp_path, capsys, text, position, what):
    (tmp_path / "accepted.yaml").write_text(text)
    assert run([*world, "--baseline", "accepted.yaml"]) == ConfigError.exit_code
    error = capsys.readouterr().err
    assert position in error
    assert what in error


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["--framework", "fw"], 2),
        (["--framework", "fw", "--source", "src"], 2),
        (["--framework", "fw", "--source", "aiter=src", "cell"], 2),
        (["--framework", "fw", "--source", "aiter="], 2),
        (["--framework", "nothing", "--source", "aiter=src"], SourceError.exit_code),
        (["--framework", "fw", "--source", "aiter=src@v1"], SourceError.exit_code),
        (["--framework", "fw", "--source", "mori=src"], SourceError.exit_code),
    ],
)
def test_wrong_arguments(world, arguments, code, capsys):
    assert run(["contract", *arguments]) == code
    assert "Traceback" not in capsys.readouterr().err


def test_any_package_can_be_the_source(world, tmp_path, capsys):
    write(tmp_path, {"fw/fw/lazy.py": "import mori\nmori.gone\n", "src/mori/__init__.py": ""})
    run([*world, "--source", "mori=src", "--format", "json"])
    assert [row["package"] for row in json.loads(capsys.readouterr().out)] == ["aiter", "mori"]
