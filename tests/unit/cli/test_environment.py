"""ROCMIMG_SET and ROCMIMG_VERSION: what a value holds never becomes a setting of its own."""

import json
from pathlib import Path

import pytest

from rocmimg.cli import run
from rocmimg.matrix import load, parse_set
from rocmimg.release.policy import policies

MATRIX = """
targets:
  t:
    gpu_archs: [gfx942]
    base: debian:testing
    image: i
    tags: ["{version}"]
"""
HOSTILE = [
    "v1 release.required_tiers=[image]",
    "v1' release.required_tiers=[image] '",
    'v1" release.required_tiers=[image] "',
    "v1\nrelease.required_tiers=[image]",
    "v1\trelease.required_tiers=[image]",
    "v1\\ release.required_tiers=[image]",
    "v1 --set release.required_tiers=[image]",
    "v1=release.required_tiers=[image]",
    "v1}, release: {required_tiers: [image]",
    "v1\n\nrelease:\n  required_tiers: [image]",
    "[v1, v2]",
    "{a: b}",
    "*alias",
    "&anchor v1",
    "!!python/object/apply:os.system [id]",
    "@secret.yaml",
    "$(id)",
    "`id`",
    "v1; id",
    "v1 # comment",
    "\u2028release.required_tiers=[image]",
]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "images.yaml").write_text(MATRIX)
    (tmp_path / "secret.yaml").write_text("hunter2\n")
    monkeypatch.chdir(tmp_path)
    for name in ("ROCMIMG_SET", "ROCMIMG_VERSION"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("ROCMIMG_CACHE", str(tmp_path / "cache"))
    return tmp_path


def explained(capsys: pytest.CaptureFixture[str]) -> dict[str, str]:
    capsys.readouterr()
    assert run(["explain", "t-gfx942", "--json"]) == 0
    return {row["key"]: row["value"] for row in json.loads(capsys.readouterr().out)}


@pytest.mark.parametrize("value", HOSTILE)
def test_a_version_from_outside_is_one_text_or_an_error(
    value: str, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("ROCMIMG_VERSION", value)
    capsys.readouterr()
    assert run(["list", "--json"]) == 3
    printed = "".join(capsys.readouterr())
    assert "is not an image tag" in printed
    assert "hunter2" not in printed
    assert "Traceback" not in printed


def test_a_version_that_looks_like_a_number_stays_what_it_is(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for version in ("1.10", "0x10", "007", "1e3", "null", "true", "2026-11-30"):
        monkeypatch.setenv("ROCMIMG_VERSION", version)
        capsys.readouterr()
        assert run(["list", "--json"]) == 0
        assert json.loads(capsys.readouterr().out)[0]["tags"] == [f"i:{version}"]


@pytest.mark.parametrize(
    ("given_", "value"),
    [
        ("'env.A=x release.required_tiers=[image]'", "x release.required_tiers=[image]"),
        ("env.A='x y'", "x y"),
        ('env.A="x y"', "x y"),
        ("env.A=x\\ y", "x y"),
        ("env.A='x\nrelease.required_tiers=[image]'", "x\nrelease.required_tiers=[image]"),
        ("env.A=a=b=c", "a=b=c"),
        ("env.A='it'\"'\"'s'", "it's"),
        ("env.A=x;id", "x;id"),
        ("env.A='$(id)'", "$(id)"),
        ("env.A=$HOME", "$HOME"),
        ("'env[A]=x'", "x"),
    ],
)
def test_a_quoted_value_is_one_value(
    given_: str, value: str, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    before = explained(capsys)
    monkeypatch.setenv("ROCMIMG_SET", given_)
    after = explained(capsys)
    assert after["env.A"].split() == value.split()
    assert {key: value for key, value in after.items() if not key.startswith("env")} == {
        key: value for key, value in before.items() if not key.startswith("env")
    }


@pytest.mark.parametrize(
    "given_", ["x", "version", "=x", "version=v1 x", "--set version=v1", "version=v1 ; id", "a.=b"]
)
def test_a_word_that_is_no_setting_is_refused(
    given_: str, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("ROCMIMG_SET", given_)
    assert run(["list"]) == 3
    assert "Traceback" not in capsys.readouterr().err


def test_what_a_release_wants_is_not_lowered_by_a_setting(folder: Path) -> None:
    """Whoever interpolates a text from outside into ROCMIMG_SET hands out settings; none of them opens the gate."""
    texts = (
        "release.required_tiers=[image]",
        "release.signers={}",
        "checks.waivers=[{check: runs, reason: please, until: '2099-01-01'}]",
    )
    matrix = load(folder / "images.yaml", sets=[parse_set(text) for text in texts])
    policy = policies(matrix, ["t-gfx942"], suite=False)["t-gfx942"]
    assert policy.tiers == ("image", "import", "aot", "gpu")
    assert policy.waivers == ()
