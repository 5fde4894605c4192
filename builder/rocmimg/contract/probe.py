"""The same question put to a built image: are the names there when Python really looks?

``needs`` says what to ask, ``PROGRAM`` asks it inside the image (standard library only), ``compare`` holds the two
answers against each other. A difference is a finding: either the text was read wrongly, or the image holds another
source than its pin.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final, Literal

from rocmimg.contract.judge import outcome
from rocmimg.contract.model import FileUses, Use
from rocmimg.contract.source import SourcePackage
from rocmimg.frozen import Record

Answer = Literal["there", "missing", "unknown"]

PROGRAM: Final = """\
import importlib, json, sys

def look(target, module):
    # Returns what Python finds, or why it cannot look.
    parts = (module or target.partition(".")[0]).split(".")
    try:
        here = importlib.import_module(".".join(parts))
    except ModuleNotFoundError as error:
        name = error.name or ""
        ours = module == name or module.startswith(name + ".") if name else False
        return "missing" if ours else "unknown: " + str(error)
    except BaseException as error:
        return "unknown: " + type(error).__name__ + ": " + str(error)
    for part in target[len(".".join(parts)) + 1:].split("."):
        if not part:
            continue
        try:
            here = getattr(here, part)
        except AttributeError:
            try:
                here = importlib.import_module(getattr(here, "__name__", "") + "." + part)
            except BaseException:
                return "missing"
        except BaseException as error:
            return "unknown: " + type(error).__name__ + ": " + str(error)
    return "there"

print(json.dumps({target: look(target, module) for target, module in json.load(sys.stdin).items()}))
"""
"""Reads {target: module} as JSON from standard input and prints {target: "there", "missing" or "unknown: why"} as the
last line of standard output."""


def read_answers(stdout: bytes) -> dict[str, str]:
    """What ``PROGRAM`` printed; imports may have written before it.

    Raises:
        ValueError: its last line is not an answer.
    """
    answers: dict[str, str] = json.loads(stdout.decode(errors="replace").strip().rpartition("\n")[2])
    return answers


class Names(Record):
    """Names of one package that the cell's framework uses, and what the sources at the pins say about them."""

    package: str
    wanted: dict[str, str]
    """Name -> the part of it that must be a module."""
    expected: dict[str, Answer]


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """A name about which the text and the image disagree."""

    target: str
    static: Answer
    dynamic: str

    def __str__(self) -> str:
        return f"{self.target}: {self.static} in the source at the pin, {self.dynamic} in the image"


def needs(uses: Iterable[tuple[str, FileUses]]) -> dict[str, str]:
    """Each name that a framework uses, with the part of it that must be a module: what ``PROGRAM`` reads."""
    found: dict[str, str] = {}
    for _, file in uses:
        for use in file.uses:
            if _can_be_asked(use) and len(use.module) >= len(found.get(use.target, "")):
                found[use.target] = use.module
    return found


def static_answers(uses: Iterable[tuple[str, FileUses]], source: SourcePackage) -> dict[str, Answer]:
    """What the text of the source says about the same names."""
    answers: dict[str, Answer] = {}
    for target, module in needs(uses).items():
        use = Use(target=target, kind="name" if module else "attribute", line=0, when="lazy", module=module)
        verdict = outcome(use, source).verdict
        answers[target] = "there" if verdict is None else "unknown" if verdict == "unknown" else "missing"
    return answers


def compare(static: Mapping[str, Answer], dynamic: Mapping[str, str]) -> list[Difference]:
    """Names about which both sides are sure, and disagree; and names that the image was not asked for.

    An image that cannot tell (AITER's import needs a GPU) contradicts nothing: see ``not_told``.
    """
    return [
        Difference(target=target, static=answer, dynamic=dynamic.get(target, "not asked"))
        for target, answer in sorted(static.items())
        if answer != "unknown"
        and answer != dynamic.get(target, "not asked")
        and not dynamic.get(target, "").startswith("unknown")
    ]


def not_told(dynamic: Mapping[str, str]) -> dict[str, str]:
    """Names that the image could not tell, with the reason: report these as not run, never as passed."""
    return {target: why.partition(": ")[2] for target, why in dynamic.items() if why.startswith("unknown")}


def _can_be_asked(use: Use) -> bool:
    return use.kind != "dynamic" and not use.ambiguous and not use.target.startswith("torch.ops.")
