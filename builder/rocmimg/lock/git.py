"""Refs of git repositories, without cloning them: one ``git ls-remote`` a repository."""

from __future__ import annotations

import os
import re
import subprocess
import time
from collections.abc import Mapping, Sequence
from typing import Final

from rocmimg import git
from rocmimg.errors import SourceError
from rocmimg.lock.file import GitPin
from rocmimg.matrix.mirrors import instead_of
from rocmimg.matrix.model import Network
from rocmimg.terminal import without_secrets

_COMMIT: Final = re.compile(r"[0-9a-f]{40}")
_TIMEOUT_S: Final = 60
_PAUSES_S: Final = (1, 4, 15)
_PASSES: Final = re.compile(
    r"\b(429|5\d\d)\b|timed? ?out|early EOF|reset by peer|hung up|RPC failed|resolve host|Temporary failure|refused",
    re.IGNORECASE,
)


def look_up(
    repo: str, refs: Sequence[str], network: Network, *, pauses: Sequence[int] = _PAUSES_S
) -> dict[str, GitPin]:
    """What each ref means, without those that the repository lacks; a tag wins over a branch of the same name.

    Raises:
        SourceError: the repository cannot be read.
    """
    found = {ref: GitPin(kind="commit", commit=ref) for ref in refs if _COMMIT.fullmatch(ref)}
    if names := [ref for ref in refs if ref not in found]:
        heads = _ls_remote(repo, names, network, pauses)
        found |= {ref: pin for ref in names if (pin := _meaning(ref, heads))}
    return found


def _meaning(ref: str, heads: Mapping[str, str]) -> GitPin | None:
    for kind, name in (("tag", f"refs/tags/{ref}"), ("branch", f"refs/heads/{ref}"), ("ref", ref)):
        commit = heads.get(f"{name}^{{}}") or heads.get(name)  # an annotated tag means the commit that it names
        if commit:
            return GitPin.model_validate({"kind": kind, "commit": commit})
    return None


def _ls_remote(repo: str, names: Sequence[str], network: Network, pauses: Sequence[int]) -> dict[str, str]:
    patterns = [pattern for name in names for pattern in (name, f"{name}^{{}}")]
    command = ["ls-remote", "--quiet", "--", repo, *patterns]
    for pause in (*pauses, None):
        try:
            done = git.run(command, timeout=_TIMEOUT_S, env=_environment(network))
        except FileNotFoundError as error:
            raise SourceError("git is not installed", next_step="install git") from error
        except subprocess.TimeoutExpired:
            said, passes = f"no answer in {_TIMEOUT_S} s", True
        else:
            if done.returncode == 0:
                lines = (line.split("\t", 1) for line in done.stdout.decode(errors="replace").splitlines())
                return {name: commit for commit, name in lines}
            said = _last_line(done.stderr.decode(errors="replace"))
            passes = bool(_PASSES.search(said))
        if not passes or pause is None:
            raise SourceError(
                f"cannot read {without_secrets(repo)}",
                why=said,
                next_step="check the URL, the network and network.git_mirrors",
            )
        time.sleep(pause)
    raise AssertionError


def _environment(network: Network) -> dict[str, str]:
    found = {"GIT_ASKPASS": "true"}
    found["GIT_SSH_COMMAND"] = os.environ.get("GIT_SSH_COMMAND", "ssh -o BatchMode=yes")
    found |= instead_of(network.git_mirrors, os.environ)
    for scheme in ("http", "https"):
        if proxy := getattr(network, f"{scheme}_proxy"):
            found[f"{scheme}_proxy"] = proxy
    return found


def _last_line(text: str) -> str:
    lines = [line for line in text.splitlines() if line.startswith(("fatal:", "error:", "remote:"))]
    return without_secrets((lines or text.splitlines() or ["git said nothing"])[-1].removeprefix("fatal: "))
