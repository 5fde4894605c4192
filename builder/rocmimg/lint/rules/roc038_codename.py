"""F38: a package source for another release of the distribution."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from rocmimg.lint.context import LintFile, Run
from rocmimg.lint.expand import expand, uses
from rocmimg.lint.images import CODENAMES, UBUNTU, Image
from rocmimg.lint.model import Hit, Level, Rule
from rocmimg.lint.scope import Variant
from rocmimg.lint.shell import Command

_WRITERS: Final = frozenset(
    {
        "tee",
        "cat",
        "sponge",
        "curl",
        "wget",
        "add-apt-repository",
        "apt-add-repository",
        "sed",
        "apt-get",
        "apt",
        "dpkg",
        "gdebi",
    }
)
_LISTS: Final = "/etc/apt/sources.list"
_SOURCE: Final = re.compile(r"\bdeb(?:-src)?\s|Suites:|ppa:|^deb\b", re.MULTILINE)
_REPLACED: Final = re.compile(r"s([^\w\s]).*?\1(.*?)\1")
_REPOSITORY_PACKAGE: Final = re.compile(r"://\S+/\S+\.deb$")


def _written(file: LintFile, run: Run, command: Command, variant: Variant) -> str:
    """Text that a command writes into a list of package sources, or the address of one."""
    words = [file.resolve(run, word, variant) or "" for word in command.words]
    targets = [redirect.target.value for redirect in command.redirects]
    if command.name in {"tee", "cat", "sponge"}:
        targets += command.values()
    if command.name in {"curl", "wget"}:
        lists = any(_LISTS in text for text in (*words, *targets))
        return "\n".join(word for word in words if "://" in word and (lists or _REPOSITORY_PACKAGE.search(word)))
    if command.name == "sed" and any(_LISTS in word for word in words):
        return "\n".join(match[2] for word in words if (match := _REPLACED.search(word)))
    if command.name in {"add-apt-repository", "apt-add-repository"} or any(_LISTS in target for target in targets):
        text = "\n".join([*words, expand(command.input, file.lookup(run, variant)) or command.input])
        return text if _SOURCE.search(text) else ""
    if command.name in {"apt-get", "apt", "dpkg", "gdebi"}:
        return "\n".join(word for word in words if _REPOSITORY_PACKAGE.search(word))
    return ""


def check(file: LintFile) -> Iterable[Hit]:
    for run, command in file.commands():
        if command.name not in _WRITERS and not command.redirects:
            continue
        wrong: dict[tuple[str, str], list[str]] = {}
        for variant in file.live_variants(run, command):
            has = Image(file.scopes.base_image(run.stage, variant) or "").codename
            text = _written(file, run, command, variant) if has else ""
            wants = set(CODENAMES.findall(text))
            # ROCm's packages for Debian are those for Ubuntu, as AMD documents it.
            if has and wants and has not in wants and not (has not in UBUNTU and wants <= UBUNTU):
                wrong.setdefault((", ".join(sorted(wants)), has), []).append(variant.label)
        for (wants_text, has), labels in wrong.items():
            names = [u.name for w in command.words for u in uses(w.value) if "CODENAME" in u.name]
            by = f" ({names[0]} by default)" if names else ""
            label = f" for {', '.join(labels)}" if any(labels) else ""
            yield Hit(
                start=command.start,
                end=command.end,
                message=f"packages of {wants_text}{by} on a base of {has}{label}",
            )
    yield from _added(file)


def _added(file: LintFile) -> Iterable[Hit]:
    """ADD of an address, or COPY of a here-document, into the lists."""
    for stage in file.dockerfile.stages:
        has = next((image.codename for image in file.images(stage)), None)
        for instruction in stage.instructions:
            if (
                instruction.keyword not in {"ADD", "COPY"}
                or has is None
                or not any(_LISTS in word for word in instruction.words[-1:])
            ):
                continue
            texts = [body.data.decode(errors="replace") for _, body in instruction.files]
            wants = set(CODENAMES.findall(" ".join([*instruction.words[:-1], *texts])))
            if wants and has not in wants and not (has not in UBUNTU and wants <= UBUNTU):
                message = f"packages of {', '.join(sorted(wants))} on a base of {has}"
                yield Hit(start=instruction.start, end=instruction.end, message=message)


RULE: Final = Rule(
    id="ROC038",
    failure_class="F38",
    level=Level.WARNING,
    title="a package source is for another release of the distribution",
    why="Libraries of another release do not install, or install and break the ABI of what is there.",
    fix="Read the codename where it is used: . /etc/os-release; echo $VERSION_CODENAME.",
    case="sglang#35088",
    bad=(
        "FROM ubuntu:24.04\n"
        'RUN echo "deb https://repo.radeon.com/graphics/7.0/ubuntu jammy main" > /etc/apt/sources.list.d/amd.list\n'
    ),
    good=(
        "FROM ubuntu:24.04\n"
        'RUN echo "deb https://repo.radeon.com/graphics/7.0/ubuntu noble main" > /etc/apt/sources.list.d/amd.list\n'
    ),
    check=check,
)
