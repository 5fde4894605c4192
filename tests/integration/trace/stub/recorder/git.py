"""git: which repository and which commit a checkout has, and the files of a small stand-in for it."""

from __future__ import annotations

import json
import re
from pathlib import Path

from call import STATE, Arguments, Call, Refused, data, project_sources, write

_SHA = re.compile(r"[0-9a-f]{40}")


class Repository:
    """The state of one .git folder."""

    def __init__(self, folder: Path) -> None:
        for place in (folder, *folder.parents):
            if (place / ".git" / STATE).is_file():
                self.top = place
                self.state = json.loads((place / ".git" / STATE).read_text())
                return
        raise Refused("fatal: not a git repository", 128)

    @classmethod
    def create(cls, folder: Path) -> Repository:
        (folder / ".git").mkdir(parents=True, exist_ok=True)
        (folder / ".git" / STATE).write_text("{}")
        return cls(folder)

    def save(self, **changes: object) -> None:
        self.state |= changes
        (self.top / ".git" / STATE).write_text(json.dumps(self.state))

    def fetch(self, refs: list[str]) -> None:
        if "url" not in self.state:
            raise Refused("fatal: there is no remote", 128)
        known = self.state.get("known", [])
        self.save(known=[*known, *refs], fetched=refs[0] if refs else None)

    def checkout(self, ref: str) -> None:
        if ref == "FETCH_HEAD":
            ref = self.state.get("fetched") or ""
        if not ref or not (ref in self.state.get("known", []) or self.state.get("whole")):
            raise Refused(f"error: {ref or 'FETCH_HEAD'} was never fetched", 1)
        self.save(head=ref)
        name = self.state["url"].removesuffix(".git").rpartition("/")[2]
        repositories = data("repositories")
        if name not in repositories:
            raise Refused(f"repositories.json says nothing of {name}")
        write(repositories[name].get("files", {}), self.top)
        for folder, project in repositories[name].get("projects", {}).items():
            write(project_sources(**project), self.top / folder)


def git(call: Call) -> None:
    args = list(call.args)
    folder = Path.cwd()
    while args and args[0] in ("-C", "-c"):
        if args[0] == "-C":
            folder = folder / args[1]
        args = args[2:]
    if not args:
        raise Refused("no command")
    verb, *args = args
    if verb not in _VERBS:
        raise Refused(f"{verb!r} is not a git command that the recorder knows")
    call.facts["verb"] = verb
    _VERBS[verb](call, args, folder)


def _init(call: Call, args: list[str], folder: Path) -> None:
    said = call.parse(Arguments("git init").flags("--quiet|-q").words("directory", "?"), args)
    Repository.create(folder / (said.directory or "."))


def _remote(call: Call, args: list[str], folder: Path) -> None:
    said = call.parse(Arguments("git remote").words("action", 1).words("name", 1).words("url", 1), args)
    if said.action != ["add"]:
        raise Refused(f"remote {said.action[0]}")
    Repository(folder).save(url=said.url[0])


def _fetch(call: Call, args: list[str], folder: Path) -> None:
    options = Arguments("git fetch").flags("--quiet|-q", "--tags", "--no-tags", "--force", "--update-shallow")
    said = call.parse(options.values("--depth", "--filter", "--jobs").words("remote", "?").words("refs"), args)
    if said.remote not in (None, "origin"):
        raise Refused(f"fatal: {said.remote!r} is no remote", 128)
    repository = Repository(folder)
    repository.fetch(said.refs)
    call.facts |= {"url": repository.state["url"], "refs": said.refs}


def _clone(call: Call, args: list[str], folder: Path) -> None:
    options = Arguments("git clone").flags("--quiet|-q", "--recursive", "--recurse-submodules", "--no-checkout")
    said = call.parse(
        options.values("--depth", "--filter", "--branch|-b", "--jobs|-j").words("url", 1).words("directory", "?"), args
    )
    url = said.url[0]
    name = url.removesuffix(".git").rpartition("/")[2]
    repository = Repository.create(folder / (said.directory or name))
    repository.save(url=url, whole=not said.depth, known=said.branch)
    repository.save(whole=True)
    if not said.no_checkout:
        repository.checkout(said.branch[0] if said.branch else "HEAD")
    repository.save(whole=not said.depth)
    call.facts |= {"url": url, "refs": said.branch}


def _checkout(call: Call, args: list[str], folder: Path) -> None:
    options = Arguments("git checkout").flags("--quiet|-q", "--force|-f", "--detach")
    said = call.parse(options.words("ref", 1), args[: args.index("--")] if "--" in args else args)
    repository = Repository(folder)
    repository.checkout(said.ref[0])
    call.facts |= {"url": repository.state["url"], "head": repository.state["head"]}


def _submodule(call: Call, args: list[str], folder: Path) -> None:
    options = Arguments("git submodule").flags("--quiet|-q", "--init", "--recursive", "--force", "--recommend-shallow")
    said = call.parse(options.values("--depth", "--filter", "--jobs|-j").words("action", 1).words("paths"), args)
    if said.action[0] not in ("update", "sync"):
        raise Refused(f"submodule {said.action[0]}")
    if not Repository(folder).state.get("head"):
        raise Refused("fatal: nothing is checked out", 128)


def _rev_parse(call: Call, args: list[str], folder: Path) -> None:
    said = call.parse(Arguments("git rev-parse").flags("--quiet", "--verify").words("ref", 1), args)
    head = Repository(folder).state.get("head")
    if said.ref != ["HEAD"] or not head:
        raise Refused(f"fatal: ambiguous argument {said.ref[0]!r}", 128)
    call.print(head)


def _apply_commits(call: Call, args: list[str], folder: Path) -> None:
    options = Arguments("git revert").flags("--no-edit", "--no-commit|-n", "--quiet")
    said = call.parse(options.values("--mainline|-m", "--strategy|-s", "-X").words("commits", "+"), args)
    repository = Repository(folder)
    if not repository.state.get("head"):
        raise Refused("fatal: nothing is checked out", 128)
    call.facts |= {"url": repository.state["url"], "commits": said.commits}
    if bad := [commit for commit in said.commits if not _SHA.fullmatch(commit)]:
        raise Refused(f"fatal: bad revision {bad[0]!r}", 128)


def _reset(call: Call, args: list[str], folder: Path) -> None:
    call.parse(Arguments("git reset").flags("--quiet|-q", "--hard"), args)
    if not Repository(folder).state.get("head"):
        raise Refused("fatal: nothing is checked out", 128)


_VERBS = {
    "checkout": _checkout,
    "cherry-pick": _apply_commits,
    "clone": _clone,
    "fetch": _fetch,
    "init": _init,
    "remote": _remote,
    "reset": _reset,
    "rev-parse": _rev_parse,
    "revert": _apply_commits,
    "submodule": _submodule,
}
