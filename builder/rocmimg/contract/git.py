"""Git object stores, read without a checkout: one long-lived ``git cat-file`` and tree objects on demand.

A remote repository becomes a blobless partial clone in the cache; what is read from it is fetched in one request.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import threading
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, Final

from rocmimg import git
from rocmimg.errors import SourceError
from rocmimg.matrix.mirrors import instead_of
from rocmimg.paths import cache_dir
from rocmimg.terminal import without_secrets

FULL_SHA: Final = re.compile(r"[0-9a-f]{40}")
_TIMEOUT_S: Final = 3600
"""A clone of a large repository over a slow line takes long; a silent server is left after a minute."""
Mirrors = tuple[tuple[str, str], ...]
"""(prefix, mirror) of network.git_mirrors."""
_SHA_BYTES: Final = 20
_FETCH_AT_ONCE: Final = 20_000


def run_git(
    folder: Path, *words: str, data: bytes | None = None, mirrors: Mirrors = ()
) -> subprocess.CompletedProcess[bytes]:
    """One git command in a folder; never asks for a password.

    Raises:
        SourceError: git is not installed, or it takes more than an hour.
    """
    try:
        return git.run(
            ["-C", str(folder), *words],
            timeout=_TIMEOUT_S,
            data=data,
            env=instead_of(dict(mirrors), os.environ),
        )
    except subprocess.TimeoutExpired as error:
        raise SourceError(f"git {words[0]} does not end", why=f"after {_TIMEOUT_S} s") from error
    except FileNotFoundError as error:
        raise SourceError(
            "git is not installed", why="sources are read from git object stores", next_step="install git"
        ) from error


def _said(result: subprocess.CompletedProcess[bytes]) -> str:
    lines = [line for line in result.stderr.decode(errors="replace").splitlines() if line.strip()]
    telling = [line for line in lines if line.startswith(("fatal:", "error:", "remote:", "ssh:"))]
    return without_secrets((telling or lines or ["git said nothing"])[-1].removeprefix("fatal: "))


class GitRepository:
    """One object store on this machine.

    Raises SourceError where the folder is not a repository, an object is missing, or git itself is.
    """

    def __init__(self, folder: Path, name: str, *, cached: bool = False, mirrors: Mirrors = ()) -> None:
        self.folder = folder
        self.name = name
        self.mirrors = mirrors
        self.cached = cached
        """True for a clone of ours, which may be fetched into."""
        self._fresh = False
        probe = run_git(folder, "rev-parse", "--is-shallow-repository", "--absolute-git-dir")
        if probe.returncode:
            raise SourceError(
                f"{name} is not a git repository",
                why=_said(probe),
                next_step="give a repository, a folder of sources, or a wheel",
            )
        shallow, git_dir = probe.stdout.decode().split("\n")[:2]
        self.shallow = shallow == "true"
        self.git_dir = Path(git_dir)
        self.partial = not run_git(folder, "config", "--get", "remote.origin.promisor").returncode
        self._trees: dict[str, dict[str, tuple[bool, str]]] = {}
        self._process: subprocess.Popen[bytes] | None = None
        self._lock = threading.Lock()

    def resolve(self, ref: str) -> str:
        """The commit that a tag, branch or SHA means here (branches of the origin as well)."""
        commit = self.find(ref)
        if commit is None and self.cached:
            self.fetch(ref)
            commit = self.find(ref)
        if commit is not None:
            return commit
        import difflib

        close = difflib.get_close_matches(ref, [*self.tags(), *self.branches()], n=3, cutoff=0.5)
        raise SourceError(
            f"{self.name} has no ref {ref!r}",
            why="the clone is shallow: its history and tags are cut off" if self.shallow else "",
            next_step=(
                f"run `git -C {self.folder} fetch --unshallow --tags`"
                if self.shallow
                else f"close to it: {', '.join(close)}"
                if close
                else "check the name, or fetch it first"
            ),
        )

    def find(self, ref: str) -> str | None:
        """Like ``resolve``, from what is on this machine; None where there is no such ref."""
        for name in (f"refs/tags/{ref}", ref, f"refs/heads/{ref}", f"refs/remotes/origin/{ref}"):
            found = run_git(self.folder, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}")
            if not found.returncode:
                return found.stdout.decode().strip()
        return None

    def is_fixed(self, ref: str) -> bool:
        """True for a full SHA or a tag: names that are not meant to move."""
        if FULL_SHA.fullmatch(ref):
            return True
        return not run_git(self.folder, "rev-parse", "--verify", "--quiet", f"refs/tags/{ref}").returncode

    def tags(self) -> dict[str, str]:
        """Tag names with the commits they mean."""
        return self._refs("refs/tags")

    def branches(self) -> dict[str, str]:
        """Branch names, those of the origin included, with their commits."""
        return self._refs("refs/heads") | self._refs("refs/remotes/origin")

    def _refs(self, under: str) -> dict[str, str]:
        form = "%(refname) %(objectname) %(*objectname) %(objecttype) %(*objecttype)"
        listed = run_git(self.folder, "for-each-ref", f"--format={form}", under)
        result: dict[str, str] = {}
        for line in listed.stdout.decode().splitlines():
            name, *rest = line.split(" ")
            own, peeled, kind, peeled_kind = rest
            if "commit" in (kind, peeled_kind):
                result[name.removeprefix(under + "/")] = peeled or own
        return result

    def refresh(self) -> None:
        """Bring a clone of ours up to date, once: a process works on one state of a remote. Raises SourceError."""
        if self.cached and not self._fresh:
            self.fetch()
            self._fresh = True

    def fetch(self, *refs: str) -> None:
        """Fetch branches and tags of the origin; an unknown SHA is asked for by itself. Raises SourceError."""
        with _locked(self.folder):
            words = ["fetch", "--quiet", "--force", "--tags", "--prune", "origin", "+refs/heads/*:refs/heads/*"]
            result = run_git(self.folder, *words, mirrors=self.mirrors)
            if result.returncode:
                raise SourceError(
                    f"cannot fetch {self.name}", why=_said(result), next_step="check the network and the address"
                )
            for ref in refs:
                if FULL_SHA.fullmatch(ref) and self.find(ref) is None:
                    run_git(self.folder, "fetch", "--quiet", "origin", ref, mirrors=self.mirrors)

    def listing(self, tree: str) -> dict[str, tuple[bool, str]]:
        """Entries of a tree: name -> (is a folder, object id). Submodules are left out."""
        if tree not in self._trees:
            kind, body = self._object(tree)
            if kind == "commit":
                body = self._object(body[5:45].decode())[1]
            self._trees[tree] = dict(_entries(body))
        return self._trees[tree]

    def read(self, ids: Iterable[str]) -> Iterator[tuple[str, bytes]]:
        """Contents of blobs, in order."""
        for key in ids:
            yield key, self._object(key)[1]

    def prefetch(self, ids: Iterable[str], label: str) -> None:
        """Fetch these objects of a partial clone in one request; once per label (a tree's id, say)."""
        if not self.partial:
            return
        mark = self.git_dir / "rocmimg-fetched" / label
        if mark.exists():
            return
        wanted = sorted(set(ids))
        for start in range(0, len(wanted), _FETCH_AT_ONCE):
            result = run_git(
                self.folder, "-c", "fetch.negotiationAlgorithm=noop", "fetch", "origin", "--quiet", "--no-tags",
                "--no-write-fetch-head", "--recurse-submodules=no", "--filter=blob:none", "--stdin",
                data="\n".join(wanted[start : start + _FETCH_AT_ONCE]).encode(), mirrors=self.mirrors,
            )  # fmt: skip
            if result.returncode:
                raise SourceError(
                    f"cannot fetch files of {self.name}", why=_said(result), next_step="check the network"
                )
        mark.parent.mkdir(exist_ok=True)
        mark.touch()

    def _object(self, key: str) -> tuple[str, bytes]:
        with self._lock:
            stdin, stdout = self._pipes()
            stdin.write(key.encode() + b"\n")
            stdin.flush()
            header = stdout.readline().split()
            if len(header) != 3:  # noqa: PLR2004
                raise SourceError(
                    f"{self.name} lacks the object {key}",
                    why=header[-1].decode() if header else "git ended",
                    next_step="fetch the repository again",
                )
            body = stdout.read(int(header[2]))
            stdout.read(1)
            return header[1].decode(), body

    def _pipes(self) -> tuple[IO[bytes], IO[bytes]]:
        if self._process is None or self._process.poll() is not None:
            self._process = subprocess.Popen(
                ["git", "-C", str(self.folder), "cat-file", "--batch"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env=git.environment(os.environ) | instead_of(dict(self.mirrors), os.environ),
            )
        stdin, stdout = self._process.stdin, self._process.stdout
        if stdin is None or stdout is None:
            raise SourceError(f"cannot read {self.name}", why="git gave no pipes")
        return stdin, stdout

    def close(self) -> None:
        """End the reader process."""
        process, self._process = self._process, None
        if process is not None:
            for pipe in (process.stdin, process.stdout):
                if pipe is not None:
                    pipe.close()
            process.wait()


@contextlib.contextmanager
def _locked(target: Path) -> Iterator[None]:
    """Keep other processes off a clone for a while."""
    with (target.parent / f".{target.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _entries(body: bytes) -> Iterator[tuple[str, tuple[bool, str]]]:
    at = 0
    while at < len(body):
        end = body.index(b"\0", at)
        mode, name = body[at:end].split(b" ", 1)
        at = end + 1 + _SHA_BYTES
        if mode != b"160000":
            yield name.decode("utf-8", "surrogateescape"), (mode == b"40000", body[end + 1 : at].hex())


def clone(url: str, mirrors: Mirrors = ()) -> Path:
    """A blobless bare clone of a remote repository, kept in the cache.

    Raises SourceError where it cannot be cloned. Safe when several processes ask for the same one.
    """
    folder = cache_dir() / "git"
    folder.mkdir(parents=True, exist_ok=True)
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", url.rstrip("/").rsplit("/", 1)[-1].removesuffix(".git"))
    target = folder / f"{name}-{hashlib.sha256(url.encode()).hexdigest()[:12]}.git"
    if target.exists():
        return target
    with _locked(target):
        if target.exists():
            return target
        unfinished = target.with_suffix(".part")
        with contextlib.suppress(FileNotFoundError):
            shutil.rmtree(unfinished)
        words = ["clone", "--quiet", "--bare", "--filter=blob:none", "--", url, str(unfinished)]
        result = run_git(folder, *words, mirrors=mirrors)
        if result.returncode:
            raise SourceError(
                f"cannot clone {without_secrets(url)}",
                why=_said(result),
                next_step="check the address and the network, or give a local path",
            )
        unfinished.rename(target)
    return target
