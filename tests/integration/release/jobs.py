"""Runs the jobs of a generated pipeline as its CI's own runner would: each shell step in order, in a fresh checkout.

What needs the CI itself (`uses:` of GitHub, artifacts, agents) is not there; what steps tell it through files is read.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from rocmimg.release.pipeline.install import VENV

LIMIT_S = 500
SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
FILES = ("GITHUB_ENV", "GITHUB_PATH", "GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY")
"""What a step of GitHub writes to."""
KEPT = VENV
"""What the first job installs; later ones take it, as on a runner that does not clean up."""


class Context(dict[str, Any]):
    """An object of GitHub's expressions: what is not there is empty."""

    def __getattr__(self, name: str) -> Any:
        value = self.get(name, "")
        return Context(value) if isinstance(value, dict) else value


def evaluate(text: str, contexts: Mapping[str, Any], status: str = "success") -> Any:
    """An expression: ours use `&&`, `||`, `!`, comparisons and the functions of a job's status."""
    python = re.sub(r"!(?!=)", " not ", text.replace("&&", " and ").replace("||", " or "))
    functions = {
        "always": lambda: True,
        "cancelled": lambda: False,
        "success": lambda: status == "success",
        "fromJSON": json.loads,
        "hashFiles": lambda *_: "hash",
    }
    names = functions | {name: Context(value) for name, value in contexts.items()}
    return eval(python, {"__builtins__": {}}, names)  # noqa: S307  # of a file that this project has written


def filled(text: str, contexts: Mapping[str, Any]) -> str:
    """A text with its expressions."""
    return re.sub(r"\$\{\{(.*?)\}\}", lambda found: str(evaluate(found[1], contexts)), text)


@dataclass
class Machine:
    """Where jobs run: this machine, or a container of another system (``inside`` begins the command)."""

    folder: Path
    """HOME and checkouts of its jobs."""
    project: Path
    """A repository."""
    environment: Mapping[str, str]
    inside: Sequence[str] = ()
    index: str = ""
    """What `doctor` is to reach from a build, in the place of the package index."""
    said: str = ""

    @property
    def checkout(self) -> Path:
        return self.folder / "work"

    @property
    def home(self) -> Path:
        return self.folder / "home"

    def check_out(self) -> None:
        """A new machine with the sources as they are committed; what an earlier job installed stays."""
        shutil.rmtree(self.home, ignore_errors=True)
        settings = self.home / ".config/pip/pip.conf"
        settings.parent.mkdir(parents=True)
        if self.index:
            settings.write_text(f"[global]\nindex-url = {self.index}\n")
        kept, venv = self.folder / "kept", self.checkout / KEPT
        if venv.is_dir():
            venv.rename(kept)
        shutil.rmtree(self.checkout, ignore_errors=True)
        subprocess.run(["git", "clone", "--quiet", "--depth=1", f"file://{self.project}", self.checkout], check=True)
        if kept.is_dir():
            venv.parent.mkdir(parents=True, exist_ok=True)
            kept.rename(venv)

    def shell(self, script: str, env: Mapping[str, str], *shell: str) -> int:
        """Run a script in the checkout with this environment and no other; its exit code."""
        file = self.folder / "step.sh"
        file.write_text(script)
        settings = {"HOME": str(self.home), "LANG": "C.UTF-8", **self.environment, **env}
        settings["PATH"] = f"{settings.get('PATH', '')}:{SYSTEM_PATH}".lstrip(":")
        pairs = [f"{name}={value}" for name, value in settings.items()]
        words = ["env", "-i", "-C", str(self.checkout), *pairs, *shell, str(file)]
        done = subprocess.run(
            [*self.inside, *words], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            text=True, timeout=LIMIT_S, check=False,
        )  # fmt: skip
        self.said += f"$ {script}\n{done.stdout}"
        return done.returncode

    @property
    def logged_in(self) -> bool:
        """Whether a password of a registry is still there."""
        config = self.home / ".docker/config.json"
        return config.exists() and bool(json.loads(config.read_text()).get("auths"))


@dataclass
class Job:
    """What one job did."""

    outcomes: dict[str, str] = field(default_factory=dict)
    """Step -> success, failure or skipped; actions are "not run"."""
    outputs: dict[str, str] = field(default_factory=dict)
    summary: str = ""
    artifacts: list[str] = field(default_factory=list)

    @property
    def failed(self) -> list[str]:
        return [name for name, outcome in self.outcomes.items() if outcome == "failure"]


class GitHub:
    """A workflow, run for one event."""

    def __init__(self, file: Path, machine: Machine, *, event: Mapping[str, Any], secrets: Mapping[str, str]) -> None:
        self.workflow: dict[str, Any] = yaml.safe_load(file.read_text())
        self.machine = machine
        github = {"workspace": str(machine.checkout), "repository": "me/app", "event": {}, "ref": "refs/heads/main"}
        self.contexts: dict[str, Any] = {"github": github | dict(event), "secrets": dict(secrets), "inputs": {}}
        self.needs: dict[str, Any] = {}

    def jobs(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """Each job that this event starts, with each row of its matrix, as the jobs before it allow."""
        for name, job in self.workflow["jobs"].items():
            needed = [job["needs"]] if isinstance(job.get("needs"), str) else job.get("needs", [])
            if any(self.needs.get(one, {}).get("result") != "success" for one in needed):
                continue
            if not evaluate(job.get("if", "success()"), self.contexts):
                continue
            for row in job.get("strategy", {}).get("matrix", {}).get("include", [{}]):
                yield name, row

    def run(self, name: str, row: Mapping[str, Any]) -> Job:
        """All steps of one job."""
        job, done, machine = self.workflow["jobs"][name], Job(), self.machine
        machine.check_out()
        contexts = self.contexts | {"matrix": dict(row), "needs": self.needs, "steps": {}}
        files = {key: machine.folder / key for key in FILES}
        given = {key: filled(value, contexts) for key, value in self.workflow["env"].items()}
        given |= {"CI": "true", "GITHUB_ACTIONS": "true", "GITHUB_ACTOR": "somebody"}
        given |= {key: str(path) for key, path in files.items()}
        status = "success"
        paths: list[str] = []
        for number, step in enumerate(job["steps"]):
            label = step.get("name") or step.get("id") or step["uses"].partition("@")[0]
            condition = str(step.get("if", "success()"))
            if not re.search(r"\b(always|success|failure|cancelled)\(", condition):
                condition = f"success() && ({condition})"
            if not evaluate(condition, contexts, status):
                done.outcomes[label] = "skipped"
                continue
            if "run" not in step:
                done.outcomes[label] = "not run"
                named = filled(step.get("with", {}).get("path", ""), contexts).split()
                done.artifacts += [one for one in named if (machine.checkout / one).exists()]
                continue
            for path in files.values():
                path.write_text("")
            script = step["run"]
            if KEPT in script and (machine.checkout / KEPT).exists():
                script = script.splitlines()[-1]  # what the first job installed is there
            env = given | {key: filled(str(value), contexts) for key, value in step.get("env", {}).items()}
            env["PATH"] = os.pathsep.join(paths)
            code = machine.shell(filled(script, contexts), env, "bash", "-e")
            outcome = "failure" if code else "success"
            status = "failure" if code else status
            done.outcomes[label] = outcome
            outputs = _pairs(files["GITHUB_OUTPUT"])
            contexts["steps"][step.get("id", str(number))] = {"outcome": outcome, "outputs": outputs}
            given |= _pairs(files["GITHUB_ENV"])
            paths = [*files["GITHUB_PATH"].read_text().split(), *paths]
            done.summary += files["GITHUB_STEP_SUMMARY"].read_text()
        done.outputs = {key: filled(value, contexts) for key, value in job.get("outputs", {}).items()}
        before = self.needs.get(name, {}).get("result", "success")
        self.needs[name] = {"result": status if before == "success" else before, "outputs": done.outputs}
        return done


def _pairs(file: Path) -> dict[str, str]:
    return dict(line.split("=", 1) for line in file.read_text().splitlines() if "=" in line)


def gitlab_jobs(file: Path, *, stages: Sequence[str]) -> Iterator[tuple[str, str, str]]:
    """Job, script and what follows it, as GitLab's shell executor joins them."""
    pipeline = yaml.safe_load(file.read_text())
    for stage in stages:
        for name, job in pipeline.items():
            if isinstance(job, dict) and job.get("stage") == stage:
                before = job.get("before_script", pipeline["default"]["before_script"])
                yield name, "\n".join([*before, *job["script"]]), "\n".join(job.get("after_script", []))


def buildkite_steps(file: Path) -> Iterator[tuple[str, str]]:
    """Step and command, as the agent gets it: an upload reads `$$` as `$`."""
    for step in yaml.safe_load(file.read_text())["steps"]:
        yield step["key"], step["command"].replace("$$", "$")
