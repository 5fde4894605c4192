"""Foreign repositories: waivers on the way up, scripts of the build context, text that a terminal would act on."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from rocmimg.cli import run

CURL = "curl -fsSLO https://a.b/c\n"


@pytest.fixture(autouse=True)
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "repo" / ".git").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "repo")
    return tmp_path / "repo"


def write(path: str, text: str) -> None:
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    Path(path).write_text(text)


def findings(capsys: pytest.CaptureFixture[str], *args: str) -> list[tuple[str, str, int]]:
    capsys.readouterr()
    run(["lint", "--json", *args])
    return [(f["file"], f["rule"], f["line"]) for f in json.loads(capsys.readouterr().out)["findings"]]


@pytest.mark.parametrize(
    ("dockerfile", "script"),
    [
        ("COPY docker/build.sh /tmp/build.sh\nRUN bash -e /tmp/build.sh\n", "docker/build.sh"),
        ("COPY docker/*.sh /opt/\nRUN chmod +x /opt/build.sh && /opt/build.sh all\n", "docker/build.sh"),
        ("WORKDIR /w\nCOPY build.sh other.sh ./\nRUN ./build.sh\n", "docker/build.sh"),
        ("COPY . /src\nWORKDIR /src/docker\nRUN sh build.sh\n", "docker/build.sh"),
        ("COPY scripts /src/scripts\nRUN cd /src && . scripts/build.sh\n", "scripts/build.sh"),
        ("RUN --mount=type=bind,source=docker,target=/ctx bash /ctx/build.sh\n", "docker/build.sh"),
        ("ARG DIR=/x\nADD --chmod=755 docker/build.sh ${DIR}/\nRUN ${DIR}/build.sh\n", "docker/build.sh"),
    ],
)
def test_a_script_of_the_context_is_linted_where_it_is_started(
    capsys: pytest.CaptureFixture[str], dockerfile: str, script: str
) -> None:
    write("docker/Dockerfile", "FROM scratch\n" + dockerfile)
    write("docker/other.sh", "true\n")
    write(script, "#!/bin/bash\nset -e\n" + CURL)
    assert findings(capsys, "docker/Dockerfile") == [(script, "ROC037", 3)]


@pytest.mark.parametrize(
    "text",
    [
        "COPY build.sh /tmp/build.sh\nRUN chmod +x /tmp/build.sh\n",  # not started
        "COPY --from=other build.sh /tmp/build.sh\nRUN bash /tmp/build.sh\n",  # another stage's
        "COPY build.py /tmp/build.sh\nRUN /tmp/build.sh\n",  # not shell
        "COPY ../build.sh /tmp/build.sh\nRUN bash /tmp/build.sh\n",  # outside the context
        "COPY missing.sh /tmp/build.sh\nRUN bash /tmp/build.sh\n",
    ],
)
def test_other_files_are_left_alone(capsys: pytest.CaptureFixture[str], text: str) -> None:
    write("Dockerfile", "FROM scratch\n" + text)
    write("build.sh", CURL)
    write("build.py", "#!/usr/bin/env python3\n" + CURL)
    write("../build.sh", CURL)
    assert findings(capsys, "Dockerfile") == []


def test_a_script_of_two_files_is_reported_once_and_waived_in_its_own_comments(
    capsys: pytest.CaptureFixture[str],
) -> None:
    for name in ("a.Dockerfile", "b.Dockerfile"):
        write(name, "FROM scratch\nCOPY build.sh /\nRUN bash /build.sh\n")
    write("build.sh", "set -e\n" + CURL + CURL)
    assert findings(capsys, ".") == [("build.sh", "ROC037", 2), ("build.sh", "ROC037", 3)]
    waiver = '# rocmimg: ignore=ROC037 reason="ours" until=2999-01-01\n# why\n'
    write("build.sh", "set -e\n" + waiver + CURL + CURL)
    assert findings(capsys, ".") == [("build.sh", "ROC037", 5)]


def test_a_script_in_a_here_document_of_copy_is_linted_too(capsys: pytest.CaptureFixture[str]) -> None:
    write("Dockerfile", "FROM scratch\nCOPY <<'EOF' /run.sh\nset -e\n" + CURL + "EOF\nRUN bash /run.sh\n")
    assert findings(capsys, "Dockerfile") == [("Dockerfile", "ROC037", 4)]


def test_a_script_that_starts_itself_ends(capsys: pytest.CaptureFixture[str]) -> None:
    write("Dockerfile", "FROM scratch\nCOPY a.sh /\nRUN /a.sh\n")
    write("a.sh", "#!/bin/sh -e\n/a.sh || /a.sh\n" + CURL)
    assert findings(capsys, "Dockerfile") == [("a.sh", "ROC037", 3)]


def test_fix_changes_the_script_too(capsys: pytest.CaptureFixture[str]) -> None:
    write("Dockerfile", "FROM ubuntu:24.04@sha256:" + "0" * 64 + "\nCOPY a.sh /\nRUN bash -e /a.sh\n")
    write("a.sh", CURL)
    assert findings(capsys, "Dockerfile", "--fix") == []
    assert Path("a.sh").read_text() == CURL.replace("curl", "curl --retry 5 --retry-delay 3 --retry-all-errors")


WAIVERS = "waivers:\n  - {{path: '{}', rules: [{}], reason: ours, until: 2999-01-01}}\n"


@pytest.mark.parametrize(
    ("place", "glob", "waived"),
    [
        (".rocmimg-lint.yaml", "docker/rocm/Dockerfile", True),
        (".rocmimg-lint.yaml", "docker/*", True),
        (".rocmimg-lint.yaml", "Dockerfile", True),
        ("docker/.rocmimg-lint.yaml", "rocm/Dockerfile", True),
        ("docker/rocm/.rocmimg-lint.yaml", "*", True),
        ("docker/.rocmimg-lint.yaml", "docker/*", False),
        ("other/.rocmimg-lint.yaml", "*", False),
        ("../.rocmimg-lint.yaml", "*", False),
    ],
)
def test_waivers_files_are_found_upwards_to_the_root_of_the_repository(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, place: str, glob: str, waived: bool
) -> None:
    write("docker/rocm/Dockerfile", "FROM scratch\nRUN " + CURL)
    write(place, WAIVERS.format(glob, "ROC037"))
    for folder, name in ((".", "docker/rocm/Dockerfile"), ("docker/rocm", "Dockerfile")):
        monkeypatch.chdir(Path(place.count("../") * "" or ".") / folder)
        assert (not [rule for _, rule, _ in findings(capsys, name) if rule == "ROC037"]) is waived


def test_waivers_that_cover_nothing_or_name_no_rule_are_said(capsys: pytest.CaptureFixture[str]) -> None:
    write("Dockerfile", "FROM scratch\nRUN " + CURL)
    write(
        ".rocmimg-lint.yaml",
        WAIVERS.format("Dockerfile", "ROC053")
        + "".join(WAIVERS.format(*entry).partition("\n")[2] for entry in (("gone/*", "ROC037"), ("*", "ROC999"))),
    )
    name = ".rocmimg-lint.yaml"
    assert findings(capsys, "Dockerfile") == [(name, "ROC000", 2), (name, "ROC000", 4), ("Dockerfile", "ROC037", 2)]
    # The folder of the waivers was searched as a whole: no file of that path is left.
    assert findings(capsys, ".") == [
        *((name, "ROC000", 2), (name, "ROC000", 3), (name, "ROC000", 4)),
        ("Dockerfile", "ROC037", 2),
    ]


def test_findings_of_other_linters_can_be_waived(capsys: pytest.CaptureFixture[str]) -> None:
    text = "FROM scratch\n{}RUN cd /x && ls\n"
    write("Dockerfile", text.format(""))
    assert ("Dockerfile", "DL3003", 2) in findings(capsys, "--external", "Dockerfile")
    write("Dockerfile", text.format('# rocmimg: ignore=DL3003 reason="ours" until=2999-01-01\n'))
    assert findings(capsys, "--external", "Dockerfile") == []


def test_other_linters_are_asked_only_on_demand(capsys: pytest.CaptureFixture[str]) -> None:
    write("Dockerfile", "FROM scratch\nRUN cd /x && ls\n")
    assert findings(capsys, "Dockerfile") == []


@pytest.mark.parametrize("form", ["text", "github"])
def test_terminal_sequences_never_reach_the_terminal(capsys: pytest.CaptureFixture[str], form: str) -> None:
    evil = "\x1b]0;title\x07\x1b[31m\x9b2J\u202e\x08"
    write("Dockerfile", f"FROM scratch\nENV HF_TOKEN{evil}=a\nRUN curl -o '{evil}' https://a.b/{evil} # {evil}\n")
    write(f"b{evil}.Dockerfile", "FROM scratch\nRUN " + CURL)
    capsys.readouterr()
    run(["lint", "--format", form, "."])
    out = capsys.readouterr().out
    assert "ROC037" in out
    assert all(char.isprintable() or char == "\n" for char in out)


def test_sarif_names_files_as_uris(capsys: pytest.CaptureFixture[str], repository: Path) -> None:
    write("a b#/Dockerfile", "FROM scratch\nRUN echo ä && \\\n  " + CURL)
    for name, uri, base in (
        ("a b#/Dockerfile", "a%20b%23/Dockerfile", "%SRCROOT%"),
        (str(repository / "a b#/Dockerfile"), (repository / "a b#/Dockerfile").as_uri(), None),
    ):
        capsys.readouterr()
        run(["lint", "--format", "sarif", name])
        result = json.loads(capsys.readouterr().out)["runs"][0]["results"][-1]
        place = result["locations"][0]["physicalLocation"]
        assert (place["artifactLocation"]["uri"], place["artifactLocation"].get("uriBaseId")) == (uri, base)
        assert place["region"] == {"startLine": 3, "startColumn": 3, "endLine": 3, "endColumn": 28}


PYTHON = {
    "flat": ({"thing/setup.py": "setup(packages=['thing'])", "thing/thing/__init__.py": ""}, "error"),
    "flat by pyproject": (
        {"thing/pyproject.toml": "[project]\nname='thing'\n", "thing/thing/__init__.py": ""},
        "error",
    ),
    "where is the root": (
        {
            "thing/pyproject.toml": "[tool.setuptools.packages.find]\nwhere = ['.']\n",
            "thing/thing/__init__.py": "",
        },
        "error",
    ),
    "src": ({"thing/setup.py": "setup(package_dir={'': 'src'})", "thing/src/thing/__init__.py": ""}, ""),
    "src by pyproject": (
        {
            "thing/pyproject.toml": "[tool.setuptools.packages.find]\nwhere = ['src']\n",
            "thing/src/thing/__init__.py": "",
        },
        "",
    ),
    "package_dir": ({"thing/setup.py": 'setup(package_dir={"": "."})', "thing/thing/__init__.py": ""}, ""),
    "package_dir in a variable": ({"thing/setup.py": "setup(package_dir=where)", "thing/thing/__init__.py": ""}, ""),
    "package-dir": (
        {"thing/pyproject.toml": '[tool.setuptools.package-dir]\n"" = "."\n', "thing/thing/__init__.py": ""},
        "",
    ),
    "setup.cfg": (
        {
            "thing/setup.py": "setup()",
            "thing/setup.cfg": "[options]\npackage_dir =\n  =.\n",
            "thing/thing/__init__.py": "",
        },
        "",
    ),
    **{
        backend: (
            {"thing/pyproject.toml": f'[build-system]\nbuild-backend = "{backend}"\n', "thing/thing/__init__.py": ""},
            "",
        )
        for backend in ("hatchling.build", "scikit_build_core.build", "mesonpy", "poetry.core.masonry.api", "maturin")
    },
    "another name": ({"thing/setup.py": "setup(packages=['other'])", "thing/other/__init__.py": ""}, ""),
    "nothing to read": ({"thing/README": ""}, ""),
}


@pytest.mark.parametrize(("files", "level"), PYTHON.values(), ids=PYTHON)
@pytest.mark.parametrize("install", ["cd thing && pip install --no-deps -e .", "pip install --no-deps -e ./thing"])
def test_the_layout_of_a_local_checkout_decides(
    capsys: pytest.CaptureFixture[str], files: dict[str, str], level: str, install: str
) -> None:
    for name, text in files.items():
        write(name, text)
    write("docker/Dockerfile", f"FROM rocm/pytorch:rocm7.2\nWORKDIR /app\nCOPY thing thing\nRUN {install}\n")
    capsys.readouterr()
    run(["lint", "--json", "docker/Dockerfile"])
    found = [f for f in json.loads(capsys.readouterr().out)["findings"] if f["rule"] == "ROC009"]
    assert [f["level"] for f in found] == ([level] if level else [])
    assert all(f["evidence"] == "files of the build context" for f in found)


REQUIREMENTS = {
    "torch": ("numpy\ntorch==2.9\n", "FROM rocm/dev-ubuntu-24.04:7.2\n", ["error"]),
    "needs torch": ("accelerate>=1\n", "FROM rocm/dev-ubuntu-24.04:7.2\n", ["error"]),
    "over the base's": ("torch==2.9.1\n", "FROM rocm/pytorch:rocm7.2\n", ["warning"]),
    "nothing of the kind": ("numpy\n# torch\nrequests\n", "FROM rocm/dev-ubuntu-24.04:7.2\n", []),
    "its own index": ("--index-url https://x/rocm7.2\ntorch==2.9\n", "FROM rocm/dev-ubuntu-24.04:7.2\n", []),
    "satisfied": ("accelerate>=1\n", "FROM rocm/pytorch:rocm7.2\n", []),
}


@pytest.mark.parametrize(("text", "base", "levels"), REQUIREMENTS.values(), ids=REQUIREMENTS)
def test_requirements_of_the_context_are_read(
    capsys: pytest.CaptureFixture[str], text: str, base: str, levels: list[str]
) -> None:
    write("requirements.txt", text)
    write(
        "Dockerfile",
        base + "WORKDIR /app\nCOPY requirements.txt .\nRUN pip install --no-cache-dir -r requirements.txt\n",
    )
    run(["lint", "--json", "Dockerfile"])
    found = [f for f in json.loads(capsys.readouterr().out)["findings"] if f["rule"] == "ROC001"]
    assert [f["level"] for f in found] == levels


@pytest.mark.parametrize(
    ("before", "found"),
    [
        ("", ["ROC001"]),
        ("RUN python3 use_existing_torch.py\n", []),
        ("RUN cd /app && python using_existing_torch.py --prefix\n", []),
        ("RUN sed -i /torch/d req/rocm.txt\n", []),
        ("RUN sed -i /torch/d other.txt\n", ["ROC001"]),
        ("RUN sed -n /torch/p req/rocm.txt\n", ["ROC001"]),
    ],
)
def test_requirements_that_a_step_rewrites_are_not_those_of_the_context(
    capsys: pytest.CaptureFixture[str], before: str, found: list[str]
) -> None:
    write("Dockerfile", f"FROM rocm/pytorch:rocm7.2\nWORKDIR /app\nCOPY . .\n{before}RUN pip install -r req/rocm.txt\n")
    write("req/rocm.txt", "torch==2.9.1\n")
    run(["lint", "--json", "Dockerfile"])
    told = json.loads(capsys.readouterr().out)["findings"]
    assert [f["rule"] for f in told if f["rule"] == "ROC001" and f["level"] != "note"] == found
