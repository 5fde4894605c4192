"""Two locks compared: what moved, what was bumped, and where to read about it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final, Literal

from rocmimg.lock.file import GitPin, Lock, PackagePin

Kind = Literal["added", "removed", "bumped", "moved", "alarm"]
_SHORT: Final = 12
_FORGES: Final = (
    (re.compile(r"github\.[^/]+"), "{}/compare/{}...{}"),
    (re.compile(r"gitlab\.[^/]+"), "{}/-/compare/{}...{}"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One difference."""

    kind: Kind
    """``bumped``: images.yaml names another ref; ``moved``: the same name means something else now; ``alarm``: so does
    a name that should never move: a tag, or a file of a released package."""
    what: str
    before: str = ""
    after: str = ""
    link: str = ""

    def as_json(self) -> dict[str, str]:
        return {name: getattr(self, name) for name in self.__slots__}

    def __str__(self) -> str:
        arrow = " -> ".join(part for part in (self.before, self.after) if part)
        return f"{self.kind:8}{self.what}: {arrow}{f'  {self.link}' if self.link else ''}"


def changes(before: Lock, after: Lock) -> list[Change]:
    """From ``before`` to ``after``, alarms first."""
    found = [*_git(before, after), *_images(before, after), *_packages(before, after)]
    found += [*_downloads(before, after), *_snapshots(before, after)]
    return sorted(found, key=lambda change: (change.kind != "alarm", change.what))


def _git(before: Lock, after: Lock) -> Iterator[Change]:
    for repo in dict.fromkeys((*before.git, *after.git)):
        old, new = before.git.get(repo, {}), after.git.get(repo, {})
        gone = [ref for ref in old if ref not in new]
        come = [ref for ref in new if ref not in old]
        name = repo.removesuffix(".git")
        if len(gone) == len(come) == 1:
            a, b = old[gone[0]], new[come[0]]
            link = _link(repo, a.commit, b.commit)
            yield Change(kind="bumped", what=name, before=_ref(gone[0], a), after=_ref(come[0], b), link=link)
        else:
            yield from (Change(kind="removed", what=name, before=_ref(ref, old[ref])) for ref in gone)
            yield from (Change(kind="added", what=name, after=_ref(ref, new[ref])) for ref in come)
        for ref in old.keys() & new.keys():
            a, b = old[ref], new[ref]
            if a.commit != b.commit:
                kind: Kind = "alarm" if a.kind == "tag" else "moved"
                link = _link(repo, a.commit, b.commit)
                yield Change(kind=kind, what=f"{name} {a.kind} {ref}", before=a.commit, after=b.commit, link=link)


def _ref(ref: str, pin: GitPin) -> str:
    return pin.commit[:_SHORT] if pin.kind == "commit" else f"{ref} ({pin.commit[:_SHORT]})"


def _link(repo: str, before: str, after: str) -> str:
    url = re.sub(r"^(?:git@([\w.-]+):|ssh://(?:git@)?([\w.-]+)/)", lambda m: f"https://{m[1] or m[2]}/", repo)
    url = url.removesuffix("/").removesuffix(".git")
    host = url.removeprefix("https://").partition("/")[0]
    return next((form.format(url, before, after) for forge, form in _FORGES if forge.fullmatch(host)), "")


def _images(before: Lock, after: Lock) -> Iterator[Change]:
    # An image that was local and is in a registry now has another digest: that it changed is what there is to say.
    old, new = {**before.local, **before.images}, {**after.local, **after.images}
    gone, come = [i for i in old if i not in new], [i for i in new if i not in old]
    yield from (Change(kind="removed", what=image, before=old[image]) for image in gone)
    yield from (Change(kind="added", what=image, after=new[image]) for image in come)
    for image in old.keys() & new.keys():
        if old[image] != new[image]:
            yield Change(kind="moved", what=image, before=old[image], after=new[image])


def _packages(before: Lock, after: Lock) -> Iterator[Change]:
    old = {(index, name): pin for index, pins in before.packages.items() for name, pin in pins.items()}
    new = {(index, name): pin for index, pins in after.packages.items() for name, pin in pins.items()}
    for key in dict.fromkeys((*old, *new)):
        a, b = old.get(key), new.get(key)
        index, name = key
        if a is None or b is None:
            kind: Kind = "added" if a is None else "removed"
            yield Change(kind=kind, what=name, before=a.version if a else "", after=b.version if b else "")
        elif a.version != b.version:
            yield Change(kind="moved", what=f"{name} of {index}", before=a.version, after=b.version)
        else:
            yield from _files(name, a, b)


def _files(name: str, before: PackagePin, after: PackagePin) -> Iterator[Change]:
    for file in before.files.keys() | after.files.keys():
        a, b = before.files.get(file, ""), after.files.get(file, "")
        if a and b and a != b:
            yield Change(kind="alarm", what=f"{name}: {file}", before=a[:_SHORT], after=b[:_SHORT])
        elif a and not b:
            yield Change(kind="alarm", what=f"{name}: {file} is gone", before=a[:_SHORT])
        elif a != b:
            yield Change(kind="added", what=f"{name}: {file}", after=b[:_SHORT])


def _downloads(before: Lock, after: Lock) -> Iterator[Change]:
    for name in dict.fromkeys((*before.downloads, *after.downloads)):
        old, new = before.downloads.get(name, {}), after.downloads.get(name, {})
        gone, come = [v for v in old if v not in new], [v for v in new if v not in old]
        if len(gone) == len(come) == 1:
            yield Change(kind="bumped", what=name, before=gone[0], after=come[0])
        else:
            yield from (Change(kind="removed", what=name, before=version) for version in gone)
            yield from (Change(kind="added", what=name, after=version) for version in come)
        for version in old.keys() & new.keys():
            if old[version] != new[version]:
                a, b = old[version][:_SHORT], new[version][:_SHORT]
                yield Change(kind="alarm", what=f"{name} {version}", before=a, after=b)


def _snapshots(before: Lock, after: Lock) -> Iterator[Change]:
    for service in dict.fromkeys((*before.snapshots, *after.snapshots)):
        a, b = before.snapshots.get(service, ""), after.snapshots.get(service, "")
        if a != b:
            kind: Kind = "moved" if a and b else "added" if b else "removed"
            yield Change(kind=kind, what=service, before=a, after=b)


def merged(old: Lock, new: Lock, keep: set[tuple[str, str, str]]) -> Lock:
    """``new``, and of ``old`` what is in ``keep`` and ``new`` does not say."""
    sections: dict[str, dict[str, Any]] = {name: {} for name in ("git", "images", "local", "packages", "snapshots")}
    for lock, everything in ((old, False), (new, True)):
        for section, places in sections.items():
            asked = "images" if section == "local" else section
            for place, value in getattr(lock, section).items():
                if isinstance(value, str):
                    other = "images" if section == "local" else "local" if section == "images" else ""
                    if not everything and other and place in getattr(new, other):
                        continue
                    if everything or (asked, place, "") in keep:
                        places[place] = value
                else:
                    chosen = {n: p for n, p in value.items() if everything or (section, place, n) in keep}
                    if chosen:
                        places[place] = {**places.get(place, {}), **chosen}
    return Lock.model_validate(sections)
