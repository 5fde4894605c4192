"""A folder of git mirrors as sources that can be checked out, although a mirror may lack files and submodules."""

from __future__ import annotations

import os
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urljoin, urlsplit

from rocmimg.git_server import find_repository

HOST: Final = "https://github.com/"
_WHO: Final = {
    **{f"GIT_{role}_{what}": "real" for role in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")},
    **{f"GIT_{role}_DATE": "2026-01-01T00:00:00Z" for role in ("AUTHOR", "COMMITTER")},
    "GIT_NO_LAZY_FETCH": "1",
}
_SHOWN: Final = 3


@dataclass(frozen=True)
class Prepared:
    """A commit that can be checked out, and how it differs from the one that was asked for."""

    commit: str
    notes: tuple[str, ...]


class Mirrors:
    """Repositories of ``folder`` (OWNER/NAME.git), prepared in ``out``."""

    def __init__(self, folder: Path, out: Path) -> None:
        self._folder = folder
        self._out = out
        self._done: dict[tuple[str, str], Prepared | None] = {}

    def prepare(self, url: str, ref: str, before: str = "") -> Prepared | None:
        """``ref`` of a repository; None where there is no mirror.

        Where the mirror lacks it, the newest commit up to the date ``before``, of its main branch where that has one.
        Files that the mirror lacks and submodules without a mirror are taken out by a commit on top.
        """
        key = (url.removesuffix(".git"), ref)
        if key not in self._done:
            self._done[key] = self._prepare(url, ref, before)
        return self._done[key]

    def _prepare(self, url: str, ref: str, before: str) -> Prepared | None:
        path = urlsplit(url).path.strip("/").removesuffix(".git")
        source = find_repository(self._folder, path) if url.startswith(HOST) else None
        if source is None:
            return None
        own = self._out / f"{path}.git"
        if not own.is_dir():
            own.mkdir(parents=True)
            _git(own, "init", "--quiet", "--bare")
            (own / "objects" / "info" / "alternates").write_text(f"{source.resolve() / 'objects'}\n")
            _git(own, "fetch", "--quiet", str(source.resolve()), "+refs/*:refs/*")
        notes = []
        commit = _try(own, "rev-parse", "--verify", "--quiet", f"{ref}^{{commit}}")
        if not commit:
            commit = _nearest(own, _try(source, "rev-parse", "--verify", "--quiet", "HEAD^{commit}"), before)
            date = _git(own, "show", "-s", "--format=%cs", commit)
            notes.append(f"{path}: {commit[:12]} of {date} for {ref[:12]}, which the mirror lacks")
        changes, said = self._changes(own, url, commit)
        notes += [f"{path}: {text}" for text in said]
        return Prepared(_commit(own, commit, changes) if changes else commit, tuple(notes))

    def _changes(self, own: Path, url: str, commit: str) -> tuple[list[str], list[str]]:
        """Lines for ``git update-index --index-info``, and what they do in words."""
        listed = [line.split("\t", 1) for line in _git(own, "ls-tree", "-r", "-z", commit).split("\0") if line]
        entries = [(*meta.split(), path) for meta, path in listed]
        blobs = "\n".join(sorted({sha for _, kind, sha, _ in entries if kind == "blob"}))
        asked = _git(own, "cat-file", "--batch-check", data=blobs).splitlines()
        missing = {line.split()[0] for line in asked if line.endswith(" missing")}
        gone = [path for _, kind, sha, path in entries if kind == "blob" and sha in missing]
        changes = [f"0 {'0' * 40}\t{path}" for path in gone]
        notes = [f"without {_some(gone)}"] if gone else []
        date = _git(own, "show", "-s", "--format=%cI", commit)
        urls = self._submodules(own, url, commit)
        dropped = []
        for _, kind, sha, path in entries:
            if kind != "commit":
                continue
            found = self.prepare(urls[path][1], sha, date) if path in urls else None
            if found is None:
                dropped.append(path)
                changes.append(f"0 {'0' * 40}\t{path}")
                notes.append(f"without submodule {path}: no mirror of {urls.get(path, ('', 'it'))[1]}")
            else:
                notes += found.notes
                if found.commit != sha:
                    changes.append(f"160000 {found.commit}\t{path}")
        if dropped and urls:
            changes.append(
                f"100644 {self._gitmodules(own, commit, [urls[p][0] for p in dropped if p in urls])}\t.gitmodules"
            )
        return changes, notes

    @staticmethod
    def _submodules(own: Path, url: str, commit: str) -> dict[str, tuple[str, str]]:
        """Path of a submodule -> its name and URL."""
        text = _try(own, "config", "--blob", f"{commit}:.gitmodules", "--get-regexp", r"^submodule\..*\.(path|url)$")
        found: dict[str, dict[str, str]] = {}
        for line in text.splitlines():
            key, _, value = line.partition(" ")
            name, _, what = key.removeprefix("submodule.").rpartition(".")
            found.setdefault(name, {})[what] = value
        base = url.removesuffix("/") + "/"
        return {
            entry["path"]: (name, urljoin(base, entry["url"]) if entry["url"].startswith(".") else entry["url"])
            for name, entry in found.items()
            if {"path", "url"} <= entry.keys()
        }

    @staticmethod
    def _gitmodules(own: Path, commit: str, names: list[str]) -> str:
        with tempfile.NamedTemporaryFile("w", suffix=".gitmodules") as file:
            file.write(_git(own, "show", f"{commit}:.gitmodules") + "\n")
            file.flush()
            for name in names:
                _git(own, "config", "--file", file.name, "--remove-section", f"submodule.{name}")
            return _git(own, "hash-object", "-w", file.name)


def _nearest(own: Path, head: str, before: str) -> str:
    """The newest commit up to that date: of the main branch (another may hold pages), or else of any."""
    limit = [f"--before={before}"] if before else []
    ways = ([head, *limit], ["--all", *limit], [head], ["--all"])
    return next(filter(None, (_git(own, "rev-list", "-1", *way) for way in ways if "" not in way)))


def _commit(own: Path, parent: str, changes: list[str]) -> str:
    with tempfile.TemporaryDirectory() as folder:
        index = {"GIT_INDEX_FILE": f"{folder}/index"}
        _git(own, "read-tree", parent, env=index)
        _git(own, "update-index", "--index-info", data="\n".join(changes) + "\n", env=index)
        tree = _git(own, "write-tree", "--missing-ok", env=index)
    made = _git(own, "commit-tree", tree, "-p", parent, "-m", "What the mirror has")
    _git(own, "update-ref", f"refs/heads/real-{made[:12]}", made)
    return made


def _git(folder: Path, *words: str, data: str | None = None, env: dict[str, str] | None = None) -> str:
    done = subprocess.run(
        ["git", "-c", "safe.directory=*", "-C", str(folder), *words],
        input=data,
        capture_output=True,
        check=False,
        text=True,
        timeout=600,
        env=os.environ | _WHO | (env or {}),
    )
    if done.returncode:
        raise RuntimeError(f"git {words[0]} in {folder}: {done.stderr.strip()}")
    return done.stdout.strip("\n")


def _try(folder: Path, *words: str) -> str:
    try:
        return _git(folder, *words)
    except RuntimeError:
        return ""


def _some(paths: list[str]) -> str:
    more = f" and {len(paths) - _SHOWN} more" if len(paths) > _SHOWN else ""
    return f"{', '.join(paths[:_SHOWN])}{more}, which the mirror lacks"
